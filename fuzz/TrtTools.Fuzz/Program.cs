using System.Runtime.CompilerServices;

namespace TrtTools.Fuzz;

/// <summary>Fuzzing for hours, with coverage as guidance. <c>dotnet run -c Release --project fuzz/TrtTools.Fuzz -- [--count N] [--kind NAME] [--state FOLDER] [--file FILE]</c></summary>
internal static class Program
{
    public static int Main(string[] arguments)
    {
        System.Globalization.CultureInfo.CurrentCulture = System.Globalization.CultureInfo.InvariantCulture;
        FuzzOptions options = FuzzOptions.Parse(arguments);
        if (options.File is { } file) return Worker.TryOne(file);
        if (!options.IsWorker) return Supervisor.Run(options);
        // Before the first instrumented code runs, which counts into this.
        return Work(options, new Coverage());
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Work(FuzzOptions options, Coverage coverage) => Worker.Run(options, coverage);
}
