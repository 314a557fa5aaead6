using System.Globalization;
using TrtTools.Data;
using TrtTools.Ir;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Surgery;

/// <summary>Makes what turns a camera's image into the model's input part of the graph: what Add-GraphPreprocessing runs. The nodes compute with the very
/// tables that the CPU's preprocessing uses, so both give the same but for the last bits of a float.</summary>
public static class PreprocessingInsertion
{
    public const string Command = "Add-GraphPreprocessing";

    /// <param name="input">The model's input; by default its only one that takes images, or the one that the description names.</param>
    /// <param name="imageName">The name of the new input; one that is taken gets a number.</param>
    public static OnnxGraph Add(OnnxGraph graph, Preprocessing description, string? input, string imageName)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(description);
        if (graph.OnnxOpset < 7) throw new TrtToolsException(ErrorCode.ChangeRefused, graph.Name, string.Create(CultureInfo.InvariantCulture, $"its opset is {graph.OnnxOpset}"), "Opset 7 or later, where Mul and Add stretch their operands", "Export the model again with a newer opset");
        GraphEdit edit = new(graph);
        Value old = Input(edit, input ?? description.Input);
        if (PreprocessingInside.Of(graph, old.Name) is not null) throw new TrtToolsException(ErrorCode.ChangeRefused, $"Input '{old.Name}'", "it takes raw images already: the preprocessing is in the graph", "An input that takes what a model was trained with", "Go back to the graph before Add-GraphPreprocessing");
        ResolvedPreprocessing how = description.Resolve(new InputInfo(old.Name, old.Type!.DataType, old.Type.Shape is { } shape ? [.. shape.Dimensions.Select(d => d is { IsConstant: true } ? d.Value : -1)] : null));
        (int height, int width) = description.ImageSize ?? (how.Height, how.Width);
        PreprocessingInside inside = PreprocessingInside.From(how, height, width);
        SymbolicShape outer = old.Type.Shape!;
        TensorType type = new(how.DataType, new SymbolicShape([.. how.HasBatch ? [outer[0]] : Array.Empty<DimExpr?>(), .. how.Shape.Skip(how.HasBatch ? 1 : 0).Select(e => (DimExpr?)DimExpr.Constant(e))]));
        DimExpr?[] raw = [.. how.HasBatch ? [outer[0]] : Array.Empty<DimExpr?>(), DimExpr.Constant(height), DimExpr.Constant(width), DimExpr.Constant(3)];
        string name = edit.Body.FreshName(imageName), tensor = old.Name;
        Origin origin = old.Origin;
        Value image = edit.Body.AddInput(name, new TensorType(DataType.UInt8, new SymbolicShape(raw)));
        Value result = new Steps(edit, how, edit.Body.First).Build(image, height, width);
        for (int i = 0; i < edit.Body.Outputs.Count; i++)
        {
            if (edit.Body.Outputs[i] == old) edit.Body.SetOutput(i, result);
        }
        edit.Body.ReplaceUses(old, result);
        edit.Body.ReplaceInput(old, image);
        edit.Body.Rename(result, tensor);
        result.Type = type;
        result.Origin = origin;
        edit.Touch(result);
        edit.Model.Metadata = inside.AddTo(edit.Model.Metadata, name);
        return edit.Finish(Command, new HistoryText().Add("InputTensor", tensor).Add("ImageName", name).Add("Preprocessing", inside.ToString()).ToString());
    }

    private static Value Input(GraphEdit edit, string? name)
    {
        List<Value> inputs = [.. edit.Body.Inputs.Where(i => i.Data is null)];
        if (name is null)
        {
            List<Value> images = [.. inputs.Where(i => i.Type?.Shape is { Rank: 3 or 4 })];
            if (images.Count == 1) return images[0];
            throw new TrtToolsException(ErrorCode.InputNotFound, edit.Model.Name, images.Count == 0 ? "no input has the 3 or 4 dimensions of an image" : $"{images.Count} inputs could take images",
                $"One of {string.Join(", ", edit.Model.Inputs.Take(8).Select(i => i.ToString()))}", images.Count == 0 ? "Give the input its shape with Set-GraphInput" : "Name it with -InputTensor");
        }
        if (inputs.Find(i => string.Equals(i.Name, name, StringComparison.Ordinal)) is { Type: not null } found) return found;
        throw new TrtToolsException(ErrorCode.InputNotFound, $"Input '{name}'", "the graph has no such input", NearestName.Advice(name, [.. inputs.Select(i => i.Name)], "input"), "Correct the name");
    }

    private sealed class Steps(GraphEdit edit, ResolvedPreprocessing how, Node? before)
    {
        private readonly int _height = how.HasBatch ? 1 : 0;

        private int Channel => _height + 2;

        private Graph Body => edit.Body;

        public Value Build(Value image, int height, int width)
        {
            ImagePlacement place = ImagePlacement.Of(how.Fit, height, width, how.Height, how.Width);
            (AxisTable rows, AxisTable columns) = (AxisTable.Of(height, place.Height, place.Top, how.Height), AxisTable.Of(width, place.Width, place.Left, how.Width));
            Value value = Resample(image, _height + 1, columns, "width");
            value = Resample(value, _height, rows, "height");
            value = ToFloat(value);
            value = Order(value);
            value = Frame(value, rows, columns);
            if (how.Layout == ImageLayout.NCHW) value = Emit("Transpose", "transpose", [value], Attribute.Ints("perm", how.HasBatch ? [0, 3, 1, 2] : [2, 0, 1]));
            value = Normalize(value);
            return Finish(value);
        }

        /// <summary>Sums of weighted pixels along one axis; where each new pixel is an old one, a choice.</summary>
        private Value Resample(Value value, int axis, AxisTable table, string what)
        {
            if (table.IsIdentity) return value;
            Value index = Constant($"{what}_index", TensorData.From<long>(table.Index, table.Taps == 1 ? [table.Length] : [table.Taps, table.Length]));
            Value taken = Emit("Gather", $"{what}_pixels", [value, index], Attribute.Int("axis", axis));
            if (table.Taps == 1 && table.Weight.All(w => w == 1)) return taken;
            taken = ToFloat(taken);
            int behind = Channel - axis;
            long[] shape = [.. table.Taps == 1 ? Array.Empty<long>() : [table.Taps], table.Length, .. Enumerable.Repeat(1L, behind)];
            Value weighted = Emit("Mul", $"{what}_weighted", [taken, Constant($"{what}_weight", TensorData.From<float>(table.Weight, shape))]);
            return table.Taps == 1 ? weighted : Sum(weighted, axis, keep: false, $"{what}_resized");
        }

        private Value ToFloat(Value value) => Types.GetValueOrDefault(value) == DataType.Float32 ? value : Cast(value, DataType.Float32, "float");

        private Value Order(Value value)
        {
            if (how.ColorOrder == ImageColorOrder.RGB) return value;
            if (how.ColorOrder == ImageColorOrder.BGR) return Emit("Gather", "bgr", [value, Constant("bgr_index", TensorData.Vector<long>(2, 1, 0))], Attribute.Int("axis", Channel));
            Value weighted = Emit("Mul", "gray_weighted", [value, Constant("gray_weight", TensorData.Vector(0.299f, 0.587f, 0.114f))]);
            return Sum(weighted, Channel, keep: true, "gray");
        }

        private Value Frame(Value value, AxisTable rows, AxisTable columns)
        {
            long[] pads = new long[2 * (Channel + 1)];
            (pads[_height], pads[_height + 1], pads[Channel + 1 + _height], pads[Channel + 2 + _height]) = (rows.Before, columns.Before, rows.After, columns.After);
            if (pads.All(p => p == 0)) return value;
            return edit.Model.OnnxOpset >= 11
                ? Emit("Pad", "padded", [value, Constant("pads", TensorData.Vector<long>(pads)), Constant("pad_value", TensorData.Scalar(how.PadValue))], Attribute.String("mode", "constant"))
                : Emit("Pad", "padded", [value], Attribute.String("mode", "constant"), Attribute.Ints("pads", pads), Attribute.Float("value", how.PadValue));
        }

        private Value Normalize(Value value)
        {
            (float[] factor, float[] offset) = ([.. Enumerable.Range(0, how.Channels).Select(c => how.Normalization(c).Factor)], [.. Enumerable.Range(0, how.Channels).Select(c => how.Normalization(c).Offset)]);
            if (factor.Any(f => f != 1)) value = Emit("Mul", "scaled", [value, PerChannel("scale", factor)]);
            if (offset.Any(o => o != 0)) value = Emit("Add", "shifted", [value, PerChannel("shift", offset)]);
            return value;
        }

        private Value PerChannel(string hint, float[] values) => Constant(hint, how.Layout == ImageLayout.NCHW ? TensorData.From<float>(values, values.Length, 1, 1) : TensorData.Vector<float>(values));

        private Value Finish(Value value)
        {
            if (how.DataType == DataType.Float32) return Types.ContainsKey(value) ? value : Emit("Identity", "image", [value]);
            if (!how.DataType.IsFloatingPoint())
            {
                if (edit.Model.OnnxOpset < 11) throw new TrtToolsException(ErrorCode.ChangeRefused, $"Input '{how.Input}'", $"it takes {how.DataType}, and opset {edit.Model.OnnxOpset.ToString(CultureInfo.InvariantCulture)} has no Round", "Opset 11 or later", "Convert the graph first: ConvertTo-OnnxOpset 13");
                value = Emit("Round", "rounded", [value]);
                (float low, float high) = how.IntegerRange;
                value = Emit("Clip", "clipped", [value, Constant("low", TensorData.Scalar(low)), Constant("high", TensorData.Scalar(high))]);
            }
            return Cast(value, how.DataType, "image");
        }

        private Value Sum(Value value, int axis, bool keep, string hint)
        {
            return edit.Model.OnnxOpset >= 13 ? Emit("ReduceSum", hint, [value, Constant($"{hint}_axes", TensorData.Vector<long>(axis))], Attribute.Int("keepdims", keep ? 1 : 0))
                : Emit("ReduceSum", hint, [value], Attribute.Ints("axes", axis), Attribute.Int("keepdims", keep ? 1 : 0));
        }

        private Value Cast(Value value, DataType type, string hint)
        {
            Value result = Emit("Cast", hint, [value], Attribute.Int("to", (long)type));
            Types[result] = type;
            return result;
        }

        private Dictionary<Value, DataType> Types { get; } = [];

        private Value Emit(string op, string hint, Value[] inputs, params Attribute[] attributes)
        {
            Node node = Body.AddNode(op, inputs, [Body.FreshName("preprocess_" + hint)], "", before);
            node.Name = edit.FreshNodeName("preprocess_" + hint);
            foreach (Attribute attribute in attributes) node.Attributes.Set(attribute);
            edit.Touch(node);
            if (op is not "Gather" || Types.ContainsKey(inputs[0])) Types[node.Output()!] = DataType.Float32;
            return node.Output()!;
        }

        private Value Constant(string hint, TensorData data) => Body.AddConstant("preprocess_" + hint, data);
    }

    /// <summary>How an axis is resized: for each new pixel so many old ones with their weights, and how much is added around them.</summary>
    private sealed record AxisTable(int Taps, int Length, long[] Index, float[] Weight, int Before, int After, bool IsIdentity)
    {
        /// <param name="inner">The extent that the whole axis is resized to.</param>
        /// <param name="first">Where its first pixel stands among the new ones; negative where it is cut.</param>
        public static AxisTable Of(int size, int inner, int first, int extent)
        {
            (int[] start, float[][] weight) = ImageResizer.Weights(size, inner);
            int skip = Math.Max(0, -first), length = Math.Min(inner - skip, extent - Math.Max(0, first));
            (int From, int Count)[] counted = [.. Enumerable.Range(skip, length).Select(i => Counted(weight[i]))];
            int taps = counted.Max(c => c.Count);
            long[] index = new long[taps * length];
            float[] weights = new float[taps * length];
            for (int i = 0; i < length; i++)
            {
                (int from, int count) = counted[i];
                for (int tap = 0; tap < taps; tap++)
                {
                    // What fills a column up weighs nothing, and stands inside the image.
                    index[tap * length + i] = Math.Min(start[skip + i] + from + tap, size - 1);
                    weights[tap * length + i] = tap < count ? weight[skip + i][from + tap] : 0;
                }
            }
            int before = Math.Max(0, first);
            bool identity = taps == 1 && length == size && weights.All(w => w == 1) && index.Index().All(p => p.Item == p.Index);
            return new AxisTable(taps, length, index, weights, before, extent - before - length, identity);
        }

        private static (int From, int Count) Counted(float[] weights)
        {
            int from = Array.FindIndex(weights, w => w != 0), to = Array.FindLastIndex(weights, w => w != 0);
            return (from, to - from + 1);
        }
    }
}
