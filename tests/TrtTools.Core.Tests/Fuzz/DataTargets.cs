using System.Text;
using TrtTools.Data;
using TrtTools.Passes.Fusion;
using TrtTools.Quantization;
using TrtTools.Tensors;

namespace TrtTools.Tests.Fuzz;

/// <summary>Calibration caches in TensorRT's text form.</summary>
internal sealed class CacheTextTarget : FuzzTarget
{
    public const string Text = "TRT-8502-EntropyCalibration2\nx: 3c010204\n(Unnamed Layer* 4) [Convolution]_output: 3d8a1b2c\nconv:1: 3f800000\ny: 00000000\n";

    public override string Name => "cache-text";

    public override byte[] Make(int seed) => Again(new Mutator(new Random(seed)), Encoding.UTF8.GetBytes(Text));

    public override byte[] Again(Mutator mutator, byte[] bytes) => mutator.Random.Next(4) == 0 ? mutator.Bytes(bytes) : Encoding.UTF8.GetBytes(mutator.Text(Encoding.UTF8.GetString(bytes)));

    public override void Use(byte[] bytes, bool thorough) => CalibrationCacheFile.ParseText(bytes, "cache");
}

/// <summary>The same with their statistics, as JSON.</summary>
internal sealed class CacheJsonTarget : FuzzTarget
{
    private readonly byte[] _json = CalibrationCacheJson.Write(CalibrationCacheFile.ParseText(Encoding.UTF8.GetBytes(CacheTextTarget.Text), "cache"));

    public override string Name => "cache-json";

    public override byte[] Make(int seed) => new Mutator(new Random(seed)).Bytes(_json);

    public override void Use(byte[] bytes, bool thorough) => CalibrationCacheJson.Read(bytes, "cache");
}

/// <summary>Tensors: .npy, .npz, .pb and Polygraphy's .json.</summary>
internal sealed class ArrayTarget : FuzzTarget
{
    private readonly string _extension;
    private readonly byte[] _whole;

    public ArrayTarget(string extension)
    {
        _extension = extension;
        string path = Path.Combine(Path.GetTempPath(), $"trttools-fuzz-{Environment.ProcessId}-{Guid.NewGuid():N}{extension}");
        Tensor[] tensors = [new("a", TensorData.From<float>([1, 2, 3, 4, 5, 6], 2, 3)), new("b", TensorData.Vector<long>(1, 2, 3))];
        if (extension == ".json") TensorFile.WriteSamples(path, [new TensorSample(tensors)]);
        else TensorFile.Write(path, extension == ".npz" ? tensors : tensors[..1]);
        _whole = File.ReadAllBytes(path);
        File.Delete(path);
    }

    public override string Name => _extension[1..];

    public override byte[] Make(int seed) => new Mutator(new Random(seed)).Bytes(_whole);

    public override void Use(byte[] bytes, bool thorough)
    {
        string file = Write(bytes, _extension);
        try
        {
            if (_extension == ".json") TensorFile.ReadSamples(file);
            else TensorFile.Read(file);
        }
        finally
        {
            File.Delete(file);
        }
    }
}

/// <summary>Files of fusion patterns.</summary>
internal sealed class PatternTarget : FuzzTarget
{
    private readonly string _whole = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Fuzz", "Corpus", "patterns.yaml"));

    public override string Name => "patterns";

    public override byte[] Make(int seed) => Again(new Mutator(new Random(seed)), Encoding.UTF8.GetBytes(_whole));

    public override byte[] Again(Mutator mutator, byte[] bytes) => Encoding.UTF8.GetBytes(mutator.Text(Encoding.UTF8.GetString(bytes)));

    public override void Use(byte[] bytes, bool thorough) => PatternFile.Parse(Encoding.UTF8.GetString(bytes), "patterns");
}

/// <summary>How pictures are prepared, as YAML.</summary>
internal sealed class PreprocessingTarget : FuzzTarget
{
    private const string Whole = "layout: NCHW\nmean: [0.5, 0.5, 0.5]\nstd: [0.25, 0.25, 0.25]\nresize: [8, 8]\n";

    public override string Name => "preprocessing";

    public override byte[] Make(int seed) => Again(new Mutator(new Random(seed)), Encoding.UTF8.GetBytes(Whole));

    public override byte[] Again(Mutator mutator, byte[] bytes) => Encoding.UTF8.GetBytes(mutator.Text(Encoding.UTF8.GetString(bytes)));

    public override void Use(byte[] bytes, bool thorough) => Preprocessing.Parse(Encoding.UTF8.GetString(bytes), "preprocessing");
}
