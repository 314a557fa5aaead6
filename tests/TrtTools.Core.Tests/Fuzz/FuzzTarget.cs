using TrtTools.Tensors;

namespace TrtTools.Tests.Fuzz;

/// <summary>A kind of file that a user can give: how it is damaged, and what is done with it.</summary>
internal abstract class FuzzTarget : IDisposable
{
    public abstract string Name { get; }

    /// <summary>A damaged file. The same seed gives the same file.</summary>
    public abstract byte[] Make(int seed);

    /// <summary>A file that is known to reach something, damaged further.</summary>
    public virtual byte[] Again(Mutator mutator, byte[] bytes) => mutator.Bytes(bytes);

    /// <summary>Uses the file. TrtToolsExceptions are answers; anything else that is thrown is a fault.</summary>
    /// <param name="thorough">What is slow too, such as evaluation in a process of its own.</param>
    public abstract void Use(byte[] bytes, bool thorough);

    public virtual void Dispose() { }

    /// <summary>All kinds.</summary>
    public static IReadOnlyList<FuzzTarget> All() =>
    [
        new ModelTarget(), new EngineTarget(), new CacheTextTarget(), new CacheJsonTarget(), new ArrayTarget(".npy"), new ArrayTarget(".npz"), new ArrayTarget(".pb"), new ArrayTarget(".json"), new PatternTarget(), new PreprocessingTarget(),
    ];

    /// <summary>An error record is an answer too.</summary>
    public static void Attempt(Action action)
    {
        try
        {
            action();
        }
        catch (TrtToolsException e) when (e.Code != ErrorCode.InternalError)
        {
        }
    }

    public static void Attempt<T>(Func<T> function) => Attempt(() => { _ = function(); });

    /// <summary>A file of this thread with the given content.</summary>
    protected static string Write(byte[] bytes, string extension)
    {
        string file = Path.Combine(Path.GetTempPath(), $"trttools-fuzz-{Environment.ProcessId}-{Environment.CurrentManagedThreadId}{extension}");
        File.WriteAllBytes(file, bytes);
        return file;
    }
}
