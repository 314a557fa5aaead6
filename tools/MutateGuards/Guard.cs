using Microsoft.CodeAnalysis;

namespace TrtTools.MutateGuards;

/// <summary>One condition that can be switched off.</summary>
/// <param name="Id">A number, or "Pattern: guard" of a pattern in YAML.</param>
/// <param name="Rewrite">For what needs a build of its own: the file's tree without the guard; null for what one build holds all of.</param>
internal sealed record Guard(string Id, string Place, string Text, SyntaxTree? Original = null, SyntaxTree? Rewrite = null)
{
    public override string ToString() => $"{Place}: {Text}";
}
