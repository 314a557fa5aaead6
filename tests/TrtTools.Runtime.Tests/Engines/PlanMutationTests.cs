using Google.Protobuf;
using Google.Protobuf.Reflection;
using TrtTools.Engines;
using TrtTools.Engines.Proto;
using TrtTools.Execution;
using TrtTools.Launch;
using TrtTools.Tensors;
using TrtTools.Tests.Launch;
using ExecutionContext = TrtTools.Execution.ExecutionContext;

namespace TrtTools.Tests.Engines;

/// <summary>Plans that somebody changed: an error that says so, or a run that stays inside its memory.</summary>
public sealed class PlanMutationTests
{
    private static readonly ulong[] Numbers = [0, 1, 2, 3, 7, 255, 4096, int.MaxValue, uint.MaxValue];
    private static readonly string[] Texts = ["", "n", "k", "-1", "9223372036854775807", "n*n*n*n*4611686018427387904", "floor(1/n)", "m", "n+", "16*n", "1000000"];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_changed_plan_is_an_error_or_runs_inside_its_memory(int seed)
    {
        Random random = new(seed);
        int refused = 0, ran = 0;
        for (int i = 0; i < 3000; i++)
        {
            PlanBuilder builder = (i % 3) switch { 0 => TestKernels.Chain(programmatic: true), 1 => HostStepPlans.Between(), _ => MapPlan() };
            (EngineHeader header, EngineContent content) = builder.Build();
            Plan plan = content.Plan;
            for (int n = random.Next(1, 3); n > 0; n--) Mutate(plan, random);
            // Bytes as they would come from a file.
            plan = Plan.Parser.ParseFrom(plan.ToByteArray());
            NullDevice device = new() { MemoryLimit = 1 << 24 };
            try
            {
                PlanTables.Read(plan, content.Blobs, "changed");
                content = new EngineContent { Plan = plan, PlanBytes = content.PlanBytes, Details = content.Details, Blobs = content.Blobs };
                if (plan.Device != "Cuda" || plan.Inputs.Count != 1 || plan.Inputs[0].Name != "x") continue;
                using (Engine engine = new(header, content, null, 0) { OpenDevice = () => device })
                {
                    using ExecutionContext context = engine.CreateContext();
                    for (int run = 0; run < 3; run++) context.Run(new Dictionary<string, Tensor> { ["x"] = new("x", TensorData.From<float>(new float[12], 3, 4)) });
                }
                ran++;
            }
            catch (TrtToolsException e) when (e.Code is ErrorCode.EngineCorrupt or ErrorCode.EngineIncompatible or ErrorCode.ShapeMismatch or ErrorCode.OutOfDeviceMemory)
            {
                refused++;
            }
            Assert.Equal(0, device.LiveResources);
        }
        Assert.True(refused > 500 && ran > 500, $"{refused} refused, {ran} ran");
    }

    private static PlanBuilder MapPlan()
    {
        PlanBuilder plan = new();
        uint x = plan.Input("x", "n", "4"), y = plan.Output("y", "n", "4");
        plan.Symbol("n", x, 0);
        TrtTools.Engines.Proto.Launch launch = plan.Kernel("twice", [x], [y], "4*n");
        TensorMap map = new() { Address = plan.Place(x), DataType = (int)DataType.Float32, SwizzleBytes = 32, Extents = { plan.Extent("4"), plan.Extent("n") }, Strides = { plan.Extent("16") }, Box = { 4, 8 }, ElementStrides = { 1, 1 } };
        launch.Kernel.Arguments.Insert(0, new Argument { Map = map });
        return plan;
    }

    /// <summary>Changes one number, text or element somewhere in the message.</summary>
    private static void Mutate(IMessage message, Random random)
    {
        List<(IMessage Owner, FieldDescriptor Field)> places = [];
        Collect(message, places);
        (IMessage owner, FieldDescriptor field) = places[random.Next(places.Count)];
        if (field.IsRepeated)
        {
            System.Collections.IList list = (System.Collections.IList)field.Accessor.GetValue(owner);
            if (list.Count == 0) return;
            int at = random.Next(list.Count);
            if (random.Next(4) == 0) list.RemoveAt(at);
            else if (field.FieldType != FieldType.Message) list[at] = Other(field, random, list[at]!);
            return;
        }
        if (field.FieldType == FieldType.Message || random.Next(8) == 0) field.Accessor.Clear(owner);
        else field.Accessor.SetValue(owner, Other(field, random, field.Accessor.GetValue(owner)));
    }

    private static void Collect(IMessage message, List<(IMessage, FieldDescriptor)> places)
    {
        foreach (FieldDescriptor field in message.Descriptor.Fields.InFieldNumberOrder())
        {
            if (field.HasPresence && !field.Accessor.HasValue(message)) continue;
            places.Add((message, field));
            object? value = field.Accessor.GetValue(message);
            if (field.FieldType != FieldType.Message) continue;
            if (value is IMessage inner) Collect(inner, places);
            else foreach (IMessage item in ((System.Collections.IEnumerable)value).OfType<IMessage>()) Collect(item, places);
        }
    }

    private static object Other(FieldDescriptor field, Random random, object old)
    {
        ulong number = random.Next(3) == 0 && old is IConvertible and not string ? unchecked((ulong)(Convert.ToInt64(old, System.Globalization.CultureInfo.InvariantCulture) + random.Next(-2, 3))) : Numbers[random.Next(Numbers.Length)];
        return field.FieldType switch
        {
            FieldType.UInt32 => unchecked((uint)number),
            FieldType.Int32 or FieldType.SInt32 => unchecked((int)number),
            FieldType.Int64 => unchecked((long)number),
            FieldType.UInt64 => number,
            FieldType.Bool => !(bool)old,
            FieldType.Float => (float)number,
            FieldType.String => Texts[random.Next(Texts.Length)],
            FieldType.Bytes => ByteString.CopyFrom([(byte)number]),
            FieldType.Enum => unchecked((int)number),
            _ => old,
        };
    }
}
