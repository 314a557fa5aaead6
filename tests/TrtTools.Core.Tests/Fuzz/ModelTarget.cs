using Google.Protobuf;
using TrtTools.Audit;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Onnx.Proto;
using TrtTools.Passes;
using TrtTools.Tests.Onnx;
using TrtTools.Tests.Passes;

namespace TrtTools.Tests.Fuzz;

/// <summary>Models, through all that a user can do with one without running it.</summary>
internal sealed class ModelTarget : FuzzTarget
{
    private readonly Dictionary<int, ModelProto> _models = [];

    public override string Name => "model";

    public override byte[] Make(int seed)
    {
        Mutator mutator = new(new Random(seed));
        return Damaged(mutator, seed % 3 == 0 ? new RandomModel(seed % 1024).Next() : Model(seed % 512));
    }

    public override byte[] Again(Mutator mutator, byte[] bytes)
    {
        if (mutator.Random.Next(4) == 0) return mutator.Bytes(bytes);
        ModelProto model;
        try
        {
            model = ModelProto.Parser.ParseFrom(bytes);
        }
        catch (InvalidProtocolBufferException)
        {
            return mutator.Bytes(bytes);
        }
        return Damaged(mutator, model);
    }

    public override void Use(byte[] bytes, bool thorough)
    {
        string file = Write(bytes, ".onnx");
        try
        {
            OnnxGraph graph = OnnxFile.Import(file, Report.None, CancellationToken.None);
            GraphLint.Check(graph);
            Attempt(() => GraphMeasurement.Measure(graph));
            Attempt(() => OperatorAudit.Check(graph, SupportTarget.TensorRT11, true));
            Attempt(() => OnnxFile.Serialize(graph));
            OptimizeOptions options = thorough ? new() : new() { ExcludePass = ["fold-constants", "resolve-impossible-branches"] };
            OnnxGraph? optimized = null;
            Attempt(() => optimized = GraphOptimizer.Optimize(graph, options, Report.None, CancellationToken.None));
            if (optimized is null) return;
            optimized.IsSimplified = true;
            LayerFusion.Fuse(optimized, new FusionOptions(), Report.None, CancellationToken.None);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private ModelProto Model(int seed)
    {
        lock (_models)
        {
            if (!_models.TryGetValue(seed, out ModelProto? model)) _models.Add(seed, model = ModelProto.Parser.ParseFrom(OnnxFile.Serialize(new RandomGraph(seed).Next())));
            return model.Clone();
        }
    }

    private static byte[] Damaged(Mutator mutator, ModelProto model)
    {
        if (mutator.Random.Next(4) == 0) return mutator.Bytes(model.ToByteArray());
        mutator.Message(model);
        byte[] bytes = model.ToByteArray();
        return mutator.Random.Next(6) == 0 ? mutator.Bytes(bytes) : bytes;
    }
}
