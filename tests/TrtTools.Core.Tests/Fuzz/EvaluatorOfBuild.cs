using TrtTools.Evaluation;

namespace TrtTools.Tests.Fuzz;

/// <summary>The process for evaluation as this build made it.</summary>
internal static class EvaluatorOfBuild
{
    public static EvaluationProcess Start()
    {
        // …/tests/TrtTools.Core.Tests/bin/Debug/net10.0
        DirectoryInfo folder = new(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
        string root = folder.Parent!.Parent!.Parent!.Parent!.Parent!.FullName;
        string file = Path.Combine(root, "src", "TrtTools.Evaluator", "bin", folder.Parent.Name, folder.Name, "TrtTools.Evaluator.dll");
        Assert.True(File.Exists(file), $"{file} was not built");
        return new EvaluationProcess(file);
    }
}
