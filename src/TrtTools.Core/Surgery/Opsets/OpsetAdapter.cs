namespace TrtTools.Surgery.Opsets;

/// <summary>What becomes of an operator's nodes between two opsets that follow each other.</summary>
/// <param name="Operators">One or several, with spaces between.</param>
/// <param name="From">The opset that the nodes are of; 0 for operators that no opset of ONNX has.</param>
/// <param name="To">The next opset, up or down.</param>
/// <param name="Rewrite">Makes the node one of <paramref name="To"/>, or refuses.</param>
internal sealed record OpsetAdapter(string Operators, int From, int To, Action<OpsetStep> Rewrite)
{
    public override string ToString() => FormattableString.Invariant($"{Operators} {From} → {To}");
}
