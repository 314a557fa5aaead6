using System.Reflection;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Emit;

namespace TrtTools.MutateGuards;

/// <summary>Compiles TrtTools.Core from its sources and what the last build generated, with the resources of the built assembly.</summary>
internal sealed class CoreBuild
{
    private static readonly string[] s_folders = ["Passes/Simplify", "Passes/Fusion"];
    private readonly CSharpCompilation _plain;
    private readonly CSharpCompilation _mutated;
    private readonly ResourceDescription[] _resources;

    public CoreBuild(string repository, string testFolder)
    {
        string core = Path.Combine(repository, "src", "TrtTools.Core"), generated = Path.Combine(core, "obj", "Debug", "net10.0");
        CSharpParseOptions parse = new(LanguageVersion.Latest);
        List<SyntaxTree> plain = [], mutated = [];
        foreach (string file in Directory.GetFiles(core, "*.cs", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            string relative = Path.GetRelativePath(core, file).Replace('\\', '/');
            if (relative.StartsWith("bin/", StringComparison.Ordinal) || (relative.StartsWith("obj/", StringComparison.Ordinal) && !file.StartsWith(generated, StringComparison.Ordinal))) continue;
            SyntaxTree tree = CSharpSyntaxTree.ParseText(File.ReadAllText(file), parse, file, System.Text.Encoding.UTF8);
            plain.Add(tree);
            if (!s_folders.Any(f => relative.StartsWith(f + "/", StringComparison.Ordinal)))
            {
                mutated.Add(tree);
                continue;
            }
            string place = Path.GetFileName(relative);
            PatternGuards.AddRange(GuardRewriter.InPatterns(tree, place, PatternGuards.Count));
            SyntaxNode root = new GuardRewriter(place, Guards).Visit(tree.GetRoot())!;
            string text = root.ToFullString();
            if (place == "PatternFile.cs") text = Wrap(text);
            mutated.Add(CSharpSyntaxTree.ParseText(text, parse, file, System.Text.Encoding.UTF8));
        }
        mutated.Add(CSharpSyntaxTree.ParseText(Resource("Mutants"), parse, "Mutants.cs", System.Text.Encoding.UTF8));
        string[] references =
        [
            .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator).Where(f => Path.GetFileName(f).StartsWith("System.", StringComparison.Ordinal) || Path.GetFileName(f) is "netstandard.dll" or "mscorlib.dll" or "Microsoft.Win32.Primitives.dll"),
            .. Directory.GetFiles(testFolder, "*.dll").Where(f => Path.GetFileName(f) is "TrtTools.Runtime.dll" or "Google.Protobuf.dll" or "GraphShape.dll" or "QuikGraph.dll" or "Microsoft.ML.OnnxRuntime.dll" or "StbImageSharp.dll" or "System.Numerics.Tensors.dll" or "YamlDotNet.dll"),
        ];
        CSharpCompilationOptions options = new(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable, allowUnsafe: true, optimizationLevel: OptimizationLevel.Debug);
        MetadataReference[] metadata = [.. references.DistinctBy(Path.GetFileName).Select(r => MetadataReference.CreateFromFile(r))];
        _plain = Generate(CSharpCompilation.Create("TrtTools.Core", plain, metadata, options), parse);
        _mutated = Generate(CSharpCompilation.Create("TrtTools.Core", mutated, metadata, options), parse);
        Assembly built = Assembly.LoadFrom(Path.Combine(testFolder, "TrtTools.Core.dll"));
        _resources = [.. built.GetManifestResourceNames().Select(n => new ResourceDescription(n, () => built.GetManifestResourceStream(n)!, isPublic: true))];
        YamlGuards = [.. ReadYaml(Path.Combine(core, "Passes", "Fusion", "Patterns.yaml"))];
    }

    /// <summary>Guards in code, which one build holds all of.</summary>
    public List<Guard> Guards { get; } = [];

    /// <summary>Guards inside property patterns, which need a build each.</summary>
    public List<Guard> PatternGuards { get; } = [];

    /// <summary>Guards of the fusion patterns.</summary>
    public IReadOnlyList<Guard> YamlGuards { get; }

    /// <summary>Writes the assembly in which each guard asks whether it is on.</summary>
    public void EmitMutated(string path) => Emit(_mutated, path);

    /// <summary>Writes the assembly without one guard of a pattern; false where the language refuses that.</summary>
    public bool TryEmitWithout(Guard guard, string path)
    {
        CSharpCompilation compilation = _plain.ReplaceSyntaxTree(guard.Original!, guard.Rewrite!);
        using MemoryStream stream = new();
        if (!compilation.Emit(stream, manifestResources: _resources).Success) return false;
        File.WriteAllBytes(path, stream.ToArray());
        return true;
    }

    private void Emit(CSharpCompilation compilation, string path)
    {
        using MemoryStream stream = new();
        EmitResult result = compilation.Emit(stream, manifestResources: _resources);
        if (!result.Success) throw new InvalidOperationException(string.Join('\n', result.Diagnostics.Where(d => d.Severity == DiagnosticSeverity.Error).Take(20)));
        File.WriteAllBytes(path, stream.ToArray());
    }

    /// <summary>Adds what the SDK's source generators make: regular expressions and native imports.</summary>
    private static CSharpCompilation Generate(CSharpCompilation compilation, CSharpParseOptions parse)
    {
        string runtime = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
        string packs = Path.Combine(Path.GetFullPath(Path.Combine(runtime, "..", "..", "..")), "packs", "Microsoft.NETCore.App.Ref");
        string folder = Path.Combine(Directory.GetDirectories(packs, $"{Environment.Version.Major}.*").Order(StringComparer.Ordinal).Last(), "analyzers", "dotnet", "cs");
        Loader loader = new();
        ISourceGenerator[] generators = [.. Directory.GetFiles(folder, "*Generat*.dll").SelectMany(f => new AnalyzerFileReference(f, loader).GetGenerators(LanguageNames.CSharp))];
        CSharpGeneratorDriver.Create(generators, parseOptions: parse).RunGeneratorsAndUpdateCompilation(compilation, out Compilation updated, out _);
        return (CSharpCompilation)updated;
    }

    private sealed class Loader : IAnalyzerAssemblyLoader
    {
        public void AddDependencyLocation(string fullPath) { }

        public Assembly LoadFromPath(string fullPath) => Assembly.LoadFrom(fullPath);
    }

    private static string Wrap(string text)
    {
        const string Before = "PatternGuards.Parse(g, names)";
        return text.Contains(Before, StringComparison.Ordinal) ? text.Replace(Before, $"global::TrtTools.Mutants.Wrap(name + \": \" + g, {Before})", StringComparison.Ordinal)
            : throw new InvalidOperationException("PatternFile.cs no longer reads its guards as this tool expects.");
    }

    private static IEnumerable<Guard> ReadYaml(string path)
    {
        string name = "";
        foreach (string line in File.ReadAllLines(path))
        {
            string trimmed = line.Trim();
            if (trimmed.StartsWith("- name: ", StringComparison.Ordinal)) name = trimmed[8..];
            if (!trimmed.StartsWith("guards: [", StringComparison.Ordinal)) continue;
            foreach (string guard in trimmed[9..^1].Split(',', StringSplitOptions.TrimEntries)) yield return new Guard($"{name}: {guard}", "Patterns.yaml", $"{name}: {guard}");
        }
    }

    private static string Resource(string name)
    {
        using StreamReader reader = new(Assembly.GetExecutingAssembly().GetManifestResourceStream(name)!);
        return reader.ReadToEnd();
    }
}
