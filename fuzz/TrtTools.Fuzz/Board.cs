using System.IO.MemoryMappedFiles;
using System.Text;

namespace TrtTools.Fuzz;

/// <summary>A mapped file in which the worker keeps its count and the file it is at, so that both outlive a crash.</summary>
internal sealed class Board : IDisposable
{
    private const int LargestFile = 1 << 20, Kinds = 16, Header = 4096;
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;

    public Board(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        _file = MemoryMappedFile.CreateFromFile(path, FileMode.OpenOrCreate, null, Header + LargestFile);
        _view = _file.CreateViewAccessor();
    }

    public long Total => Enumerable.Range(0, Kinds).Sum(CountOf);

    public long CountOf(int kind) => _view.ReadInt64(kind * 8);

    public void Add(int kind) => _view.Write(kind * 8, CountOf(kind) + 1);

    /// <summary>Ticks of the moment when the file now at work began; 0 when none is.</summary>
    public long Started
    {
        get => _view.ReadInt64(1024);
        set => _view.Write(1024, value);
    }

    public void Set(string kind, byte[] bytes)
    {
        byte[] name = Encoding.UTF8.GetBytes(kind);
        _view.Write(1040, name.Length);
        _view.WriteArray(1044, name, 0, name.Length);
        int length = Math.Min(bytes.Length, LargestFile);
        _view.WriteArray(Header, bytes, 0, length);
        _view.Write(1032, length);
        Started = DateTime.UtcNow.Ticks;
    }

    public (string Kind, byte[] Bytes) Current()
    {
        byte[] name = new byte[_view.ReadInt32(1040)], bytes = new byte[_view.ReadInt32(1032)];
        _view.ReadArray(1044, name, 0, name.Length);
        _view.ReadArray(Header, bytes, 0, bytes.Length);
        return (Encoding.UTF8.GetString(name), bytes);
    }

    public void Dispose()
    {
        _view.Dispose();
        _file.Dispose();
    }
}
