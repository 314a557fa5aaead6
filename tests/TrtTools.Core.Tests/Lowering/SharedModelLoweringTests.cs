using TrtTools.Data;
using TrtTools.Ir;
using TrtTools.Lowering;
using TrtTools.Onnx;
using TrtTools.Tensors;

namespace TrtTools.Tests.Lowering;

/// <summary>Whole models, lowered and run by the Reference device, give the outputs that lie beside them.</summary>
public sealed class SharedModelLoweringTests
{
    /// <summary>Models whose nests the Reference device computes within seconds.</summary>
    private static readonly string[] Small = ["mnist-cntk"];

    public static TheoryData<string> Names
    {
        get
        {
            TheoryData<string> names = [];
            IEnumerable<string> all = !SharedModels.Exists ? [""] : Environment.GetEnvironmentVariable("TRTTOOLS_TEST_ALL_MODELS") is { Length: > 0 } ? SharedModels.Names : Small;
            foreach (string name in all) names.Add(name);
            return names;
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_model_computes_what_it_should(string name) => Check(name, new LoweringOptions(), LoweringCheck.Float32);

    [Theory]
    [MemberData(nameof(Names))]
    public void The_plain_program_computes_the_same(string name) => Check(name, new LoweringOptions { Fuse = false }, LoweringCheck.Float32);

    private static void Check(string name, LoweringOptions options, double tolerance)
    {
        string path = SharedModels.Path(name);
        OnnxGraph graph = OnnxFile.Import(path, Report.None, CancellationToken.None);
        System.Diagnostics.Stopwatch clock = System.Diagnostics.Stopwatch.StartNew();
        LoweredProgram program = GraphLowering.Lower(graph, options, Report.None, CancellationToken.None);
        TestContext.Current.TestOutputHelper?.WriteLine($"lowered in {clock.ElapsedMilliseconds} ms to {program.Steps.Count} steps; {string.Join("; ", program.Warnings)}");
        foreach (string set in SharedModels.DataSets(name).Take(1))
        {
            Dictionary<string, TensorData> inputs = new(StringComparer.Ordinal), expected = new(StringComparer.Ordinal);
            for (int i = 0; i < program.Inputs.Count; i++) inputs.Add(program.Inputs[i].Storage.Name, Read(set, $"input_{i}.pb"));
            for (int i = 0; i < program.Outputs.Count; i++) expected.Add(program.Outputs[i].Storage.Name, Read(set, $"output_{i}.pb"));
            LoweringCheck.Compare(name, program, inputs, expected, tolerance);
        }
    }

    private static TensorData Read(string folder, string file) => TensorFile.Read(Path.Combine(folder, file))[0].Content;
}
