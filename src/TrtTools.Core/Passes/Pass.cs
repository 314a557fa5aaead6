using TrtTools.Ir;

namespace TrtTools.Passes;

/// <summary>One kind of rewrite. To add a pass: one class, one line in <see cref="PassList"/>.</summary>
internal abstract class Pass
{
    /// <summary>A verb phrase in kebab case, as users see it.</summary>
    public abstract string Name { get; }

    /// <summary>False for passes that only learn or rearrange and cannot change what is computed.</summary>
    public virtual bool ChangesComputation => true;
}

/// <summary>A rewrite around one node: guards, one edit, true. Edits go through the context, which remembers what to look at again.</summary>
internal abstract class NodePass : Pass
{
    /// <summary>The operators of the ONNX domain it looks at.</summary>
    public abstract IReadOnlyCollection<string> OpTypes { get; }

    public abstract bool Apply(Node node, PassContext context);
}

/// <summary>A rewrite that needs the whole graph at once. It runs once a round, and only if something changed since its last run.</summary>
internal abstract class GraphPass : Pass
{
    /// <summary>Returns the number of changes.</summary>
    public abstract int Apply(PassContext context);
}
