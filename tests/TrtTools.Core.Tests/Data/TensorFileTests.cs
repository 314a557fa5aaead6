using System.Text;
using CsCheck;
using TrtTools.Data;
using TrtTools.Tensors;

namespace TrtTools.Tests.Data;

public sealed class TensorFileTests
{
    private static readonly Gen<Tensor> s_tensor = Gen.Select(Gen.Int[0, 4].Select(i => new[] { DataType.Float32, DataType.Int64, DataType.UInt8, DataType.Float16, DataType.Bool }[i]), Gen.Long[0, 4].Array[0, 4], Gen.ULong)
        .Select((type, shape, seed) => SyntheticData.Create("x", type, shape, seed));

    [Theory]
    [InlineData(".npy")]
    [InlineData(".npz")]
    [InlineData(".pb")]
    public void What_is_written_is_read_back(string extension)
    {
        using TestFolder folder = new();
        string path = folder.File("x" + extension);
        s_tensor.Sample(tensor =>
        {
            TensorFile.Write(path, [tensor], force: true);
            Tensor back = Assert.Single(TensorFile.Read(path));
            Assert.Equal("x", back.Name);
            Assert.True(back.Content.ContentEquals(tensor.Content), $"{tensor} came back as {back}");
        }, iter: 50, threads: 1);
    }

    private static byte[] Npy(string header, byte[] elements, byte version = 1)
    {
        byte[] text = version == 3 ? Encoding.UTF8.GetBytes(header) : Encoding.Latin1.GetBytes(header);
        byte[] length = version == 1 ? [(byte)text.Length, (byte)(text.Length >> 8)] : [(byte)text.Length, (byte)(text.Length >> 8), 0, 0];
        return [0x93, .. "NUMPY"u8, version, 0, .. length, .. text, .. elements];
    }

    private static Tensor ReadBytes(byte[] bytes)
    {
        using TestFolder folder = new();
        File.WriteAllBytes(folder.File("a.npy"), bytes);
        return Assert.Single(TensorFile.Read(folder.File("a.npy")));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Big_endian_column_major_of_every_version(byte version)
    {
        // Column-major [2,3]: columns (1,4), (2,5), (3,6).
        Tensor tensor = ReadBytes(Npy("{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }\n", [0, 1, 0, 4, 0, 2, 0, 5, 0, 3, 0, 6], version));
        Assert.Equal([2, 3], tensor.Shape);
        Assert.Equal(new short[] { 1, 2, 3, 4, 5, 6 }, (short[])tensor.Data);
    }

    [Fact]
    public void Scalars_and_text_are_read()
    {
        Assert.Equal(2.5, ReadBytes(Npy("{'descr': '<f8', 'fortran_order': False, 'shape': (), }\n", BitConverter.GetBytes(2.5))).ToArray());
        Assert.Equal(["ab", "c"], (string[])ReadBytes(Npy("{'descr': '<U2', 'fortran_order': False, 'shape': (2,), }\n", Encoding.UTF32.GetBytes("abc\0"))).Data);
    }

    [Theory]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }\n")]
    [InlineData("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n")]
    [InlineData("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }\n")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 99999999999), }\n")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, }\n")]
    public void Damaged_files_are_named(string header)
    {
        TrtToolsException e = Assert.Throws<TrtToolsException>(() => ReadBytes(Npy(header, new byte[8])));
        Assert.Equal(ErrorCode.DataInvalid, e.Code);
        Assert.Contains("a.npy", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Any_cut_file_is_refused()
    {
        using TestFolder folder = new();
        foreach (string extension in new[] { ".npy", ".npz", ".pb" })
        {
            string path = folder.File("x" + extension);
            TensorFile.Write(path, [SyntheticData.Create("x", DataType.Float32, [3, 5], 1)]);
            byte[] whole = File.ReadAllBytes(path);
            for (int length = 0; length < whole.Length; length += 7)
            {
                File.WriteAllBytes(path, whole[..length]);
                // A protobuf cut between fields is a valid, emptier one: then it holds no whole tensor either.
                TrtToolsException e = Assert.Throws<TrtToolsException>(() => TensorFile.Read(path));
                Assert.Equal(ErrorCode.DataInvalid, e.Code);
            }
        }
    }
}
