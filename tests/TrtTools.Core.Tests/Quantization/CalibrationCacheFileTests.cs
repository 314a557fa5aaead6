using System.Text;
using CsCheck;
using TrtTools.Quantization;

namespace TrtTools.Tests.Quantization;

public sealed class CalibrationCacheFileTests
{
    private static CalibrationCache Parse(string text) => CalibrationCacheFile.ParseText(Encoding.UTF8.GetBytes(text), "c.cache");

    [Theory]
    [InlineData("TRT-8502-EntropyCalibration2", "\n")]
    [InlineData("TRT-100300-EntropyCalibration2", "\r\n")]
    [InlineData("TRT-110100-MinMaxCalibration", "\n")]
    [InlineData("\uFEFFTRT-7000-EntropyCalibration", "\n")]
    public void Any_header_is_read(string header, string newline)
    {
        CalibrationCache cache = Parse(string.Join(newline, header, "input: 3c010204", "a: b: 3c010204", "(Unnamed Layer* 4) [Convolution]_output: 3D000000", "ns/x:0: 3c010204", "zero: 00000000", ""));
        Assert.Equal(["input", "a: b", "(Unnamed Layer* 4) [Convolution]_output", "ns/x:0", "zero"], cache.Tensors.Select(t => t.Name));
        Assert.Equal(1f / 127, cache.Tensors[0].Scale);
        Assert.Equal(0.03125f, cache.Tensors[2].Scale);
        Assert.Equal(header.Contains("MinMax", StringComparison.Ordinal) ? CalibrationAlgorithm.MinMax : CalibrationAlgorithm.Entropy, cache.Algorithm);
    }

    [Fact]
    public void Layers_that_stay_in_floating_point_are_lines_of_tensors_that_no_network_has()
    {
        CalibrationCache cache = new([new TensorCalibration { Name = "x", Scale = 0.5f }]) { FloatLayers = ["conv: 1", "head"] };
        string text = CalibrationCacheFile.ToText(cache, "c.cache");
        Assert.Equal(["x: 3f000000", "trttools.float-layer.conv: 1: 00000000", "trttools.float-layer.head: 00000000"], text.TrimEnd().Split('\n').Skip(1));
        CalibrationCache read = Parse(text);
        Assert.Equal(cache.FloatLayers, read.FloatLayers);
        Assert.Equal(["x"], read.Tensors.Select(t => t.Name));
        Assert.Equal(text, CalibrationCacheFile.ToText(read, "c.cache"));
    }

    [Theory]
    [InlineData("TRT-8502-EntropyCalibration2\na: 3c010204\nb 3c010204\n", 3)]
    [InlineData("TRT-8502-EntropyCalibration2\na: 3c01020\n", 2)]
    [InlineData("TRT-8502-EntropyCalibration2\na: 3c0102zz\n", 2)]
    [InlineData("TRT-8502-EntropyCalibration2\na: 7fc00000\n", 2)]
    [InlineData("TRT-8502-EntropyCalibration2\na: bc010204\n", 2)]
    [InlineData("TRT-8502-EntropyCalibration2\na: 3c010204\n\na: 3c010205\n", 4)]
    [InlineData("TRT-EntropyCalibration2\na: 3c010204\n", 1)]
    [InlineData("", 1)]
    public void A_damaged_line_is_named(string text, int line)
    {
        TrtToolsException e = Assert.Throws<TrtToolsException>(() => Parse(text));
        Assert.Equal(ErrorCode.CalibrationCacheInvalid, e.Code);
        Assert.Contains($"line {line} ", e.Message, StringComparison.Ordinal);
    }

    private static readonly Gen<CalibrationCache> s_cache = Gen.Select(Gen.String[Gen.Char[" :abc/[]*ü→"], 1, 12].Where(s => s.Length > 0), Gen.UInt.Select(BitConverter.UInt32BitsToSingle).Where(float.IsFinite).Select(MathF.Abs))
        .Array[0, 20].Select(all => new CalibrationCache([.. all.DistinctBy(p => p.Item1).Select(p => new TensorCalibration { Name = p.Item1, Scale = p.Item2, Min = -p.Item2, Max = p.Item2, AbsoluteMax = p.Item2, ClippedFraction = 0.25, Sqnr = null })])
        {
            Algorithm = CalibrationAlgorithm.Mse, SampleCount = 7, DataHash = "ab", GraphHash = "cd", Model = "m",
        });

    [Theory]
    [InlineData("c.cache")]
    [InlineData("c.json")]
    public void What_is_written_is_read_bit_for_bit(string name)
    {
        using TestFolder folder = new();
        string path = folder.File(name);
        s_cache.Sample(cache =>
        {
            CalibrationCacheFile.Write(cache, path, force: true);
            CalibrationCache back = CalibrationCacheFile.Read(path);
            Assert.Equal(cache.Tensors.Select(t => (t.Name, BitConverter.SingleToUInt32Bits(t.Scale))), back.Tensors.Select(t => (t.Name, BitConverter.SingleToUInt32Bits(t.Scale))));
            byte[] first = File.ReadAllBytes(path);
            CalibrationCacheFile.Write(back, path, force: true);
            if (name == "c.json") Assert.Equal(cache.Tensors, back.Tensors);
            Assert.Equal(first, File.ReadAllBytes(path));
        }, iter: 50, threads: 1);
    }

    [Fact]
    public void The_text_is_TensorRTs()
    {
        CalibrationCache cache = new([new() { Name = "input", Scale = 1f / 127 }, new() { Name = "x: y", Scale = 0.03125f }]) { Algorithm = CalibrationAlgorithm.Entropy };
        Assert.Equal("TRT-100300-EntropyCalibration2\ninput: 3c010204\nx: y: 3d000000\n", CalibrationCacheFile.ToText(cache, "c"));
    }

    [Theory]
    [InlineData("{\n\"format\": \"trttools-calibration\",\n\"version\" 1}", "line 3")]
    [InlineData("{}", "format")]
    [InlineData("{\"format\": \"trttools-calibration\", \"version\": 1}", "missing")]
    public void Damaged_json_is_named(string json, string named)
    {
        TrtToolsException e = Assert.Throws<TrtToolsException>(() => CalibrationCacheJson.Read(Encoding.UTF8.GetBytes(json), "c.json"));
        Assert.Equal(ErrorCode.CalibrationCacheInvalid, e.Code);
        Assert.Contains(named, e.Message, StringComparison.Ordinal);
    }
}
