using Google.Protobuf.Collections;
using TrtTools.Engines.Proto;
using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Build;

/// <summary>Gives the tensors of an engine's layers the names that they have in the imported model.</summary>
internal static class LayerTensorNames
{
    /// <summary>Tensors that are none of the model's go. Integers that stand for a tensor get the scale with which they are read.</summary>
    public static void Translate(RepeatedField<LayerTensor> tensors, CanonicalForm form)
    {
        List<LayerTensor> known = [];
        foreach (LayerTensor tensor in tensors)
        {
            Value? value = tensor.Names.Select(form.Graph.Body.Find).FirstOrDefault(v => v?.Producer is not null);
            if (value is null) continue;
            if (value.Producer!.Is("QuantizeLinear"))
            {
                if (value.Producer.Input(1) is not { } scale || ConstantReader.Read(scale) is not { ElementCount: 1 } factor) continue;
                tensor.Scale = factor.ToDouble()[0];
                tensor.ZeroPoint = value.Producer.Input(2) is { } zero && ConstantReader.Read(zero) is { ElementCount: 1 } point ? (int)point.ToInt64()[0] : 0;
                value = value.Producer.Input(0)!;
            }
            IReadOnlyList<string> names = Names(value, form);
            if (names.Count == 0) continue;
            tensor.Names.Clear();
            tensor.Names.Add(names);
            known.Add(tensor);
        }
        tensors.Clear();
        tensors.Add(known);
    }

    private static IReadOnlyList<string> Names(Value value, CanonicalForm form)
    {
        if (value.Producer is not { } producer || !form.Originals.TryGetValue(producer.Name, out Node? original) || original.Output(value.OutputIndex) is not { } named) return [];
        return named.Origin.TensorNames.Count > 0 ? named.Origin.TensorNames : [named.Name];
    }
}
