using System.Collections;
using System.Management.Automation;
using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Cmdlets;

/// <summary>Stands on a parameter that takes names of nodes or tensors: nodes and tensors themselves serve as well.</summary>
[AttributeUsage(AttributeTargets.Property | AttributeTargets.Field)]
public sealed class NamesAttribute : ArgumentTransformationAttribute
{
    public override object? Transform(EngineIntrinsics engineIntrinsics, object? inputData)
    {
        object? bare = Arguments.Bare(inputData);
        return bare is IEnumerable many and not string and not IDictionary ? many.Cast<object?>().Select(NameOf).ToArray() : NameOf(bare);
    }

    private static object? NameOf(object? item) => Arguments.Bare(item) switch
    {
        GraphNode node => node.Name.Length > 0 ? node.Name : node.Outputs.FirstOrDefault(o => o.Length > 0) ?? "",
        GraphTensor tensor => tensor.Name,
        Tensor tensor => tensor.Name,
        var other => other,
    };
}
