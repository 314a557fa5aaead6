using TrtTools.Ir;

namespace TrtTools.Passes;

/// <summary>Initializers that old models also list as inputs, so that a caller may replace them. Whoever compiles a model treats them as constants.</summary>
internal static class OverridableInputs
{
    /// <summary>Takes them off the inputs, in place; returns how many there were.</summary>
    public static int Drop(OnnxGraph model, Report report)
    {
        List<Value> overridable = [.. model.Body.Inputs.Where(v => v.Data is not null)];
        if (overridable.Count == 0) return 0;
        model.Body.FixInputs(overridable);
        string names = string.Join(", ", overridable.Take(3).Select(v => $"'{v.Name}'"));
        if (overridable.Count > 3) names += ", …";
        report.Warning($"{model.Name}: {overridable.Count} initializers are also listed as inputs ({names}); they are constants from here on, and a caller can no longer replace them.");
        return overridable.Count;
    }
}
