using System.IO.MemoryMappedFiles;

namespace TrtTools.Files;

/// <summary>A file mapped read-only. Slices keep it alive; the mapping goes when the last of them is collected or it is disposed.</summary>
/// <remarks>On Linux the file may be replaced by rename while it is mapped: the mapping keeps the old content. A span over native memory keeps nothing
/// alive, so a collected mapping stays for <see cref="GraceMilliseconds"/> more: whoever took a span just before has used it by then.</remarks>
internal sealed unsafe class MappedFile : IDisposable
{
    private readonly MemoryMappedFile? _file;
    private readonly MemoryMappedViewAccessor? _view;
    private byte* _base;
    private Timer? _grace;

    /// <summary>How long a mapping outlives its last reference.</summary>
    internal static int GraceMilliseconds { get; set; } = 30_000;

    private MappedFile(string path, long length, MemoryMappedFile? file, MemoryMappedViewAccessor? view)
    {
        Path = path;
        Length = length;
        _file = file;
        _view = view;
        if (view is not null)
        {
            view.SafeMemoryMappedViewHandle.AcquirePointer(ref _base);
            _base += view.PointerOffset;
        }
    }

    public string Path { get; }

    public long Length { get; }

    public static MappedFile Open(string path)
    {
        FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
        try
        {
            long length = stream.Length;
            if (length == 0)
            {
                stream.Dispose();
                return new MappedFile(path, 0, null, null);
            }
            MemoryMappedFile file = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
            return new MappedFile(path, length, file, file.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read));
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>Bytes of a part of the file. The span is valid while this object lives.</summary>
    public ReadOnlySpan<byte> Span(long offset, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        if (offset + length > Length) throw new ArgumentOutOfRangeException(nameof(length), "The slice ends past the end of the file.");
        ObjectDisposedException.ThrowIf(_disposed, this);
        return length == 0 ? default : new ReadOnlySpan<byte>(_base + offset, length);
    }

    private bool _disposed;

    // The pointer that was acquired keeps the handle from being released by its own finalizer.
    ~MappedFile()
    {
        if (!_disposed && _view is not null) _grace = new Timer(static file => ((MappedFile)file!).Dispose(), this, GraceMilliseconds, Timeout.Infinite);
    }

    public void Dispose()
    {
        GC.SuppressFinalize(this);
        if (_disposed) return;
        _disposed = true;
        _grace?.Dispose();
        if (_view is not null)
        {
            _view.SafeMemoryMappedViewHandle.ReleasePointer();
            _base = null;
            _view.Dispose();
        }
        _file?.Dispose();
    }
}
