using System.Globalization;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace TrtTools.MutateGuards;

/// <summary>Finds guards in a file, and lets each ask <c>Mutants</c> whether it is on. A guard is a part of the condition of an early return or continue, joined by ||,
/// or a part joined by &amp;&amp; of what a rewrite needs.</summary>
internal sealed class GuardRewriter(string place, List<Guard> guards) : CSharpSyntaxRewriter
{
    public override SyntaxNode? VisitIfStatement(IfStatementSyntax node)
    {
        // What only reports near misses is no guard of its own, but what it stands under is.
        bool exits = IsExit(node.Statement);
        ExpressionSyntax condition = exits && node.Condition is not BinaryExpressionSyntax { RawKind: (int)SyntaxKind.LogicalAndExpression } ? Parts(node.Condition, SyntaxKind.LogicalOrExpression, "Bars", node) : exits ? node.Condition : Parts(node.Condition, SyntaxKind.LogicalAndExpression, "Holds", node);
        if (exits && ReferenceEquals(condition, node.Condition)) condition = Whole(node.Condition, "Bars", node);
        return node.WithCondition(condition).WithStatement((StatementSyntax)Visit(node.Statement)!).WithElse((ElseClauseSyntax?)Visit(node.Else));
    }

    public override SyntaxNode? VisitReturnStatement(ReturnStatementSyntax node) =>
        node.Expression is BinaryExpressionSyntax { RawKind: (int)SyntaxKind.LogicalAndExpression } both ? node.WithExpression(Parts(both, SyntaxKind.LogicalAndExpression, "Holds", node)) : base.VisitReturnStatement(node);

    public override SyntaxNode? VisitArrowExpressionClause(ArrowExpressionClauseSyntax node) =>
        node.Expression is BinaryExpressionSyntax { RawKind: (int)SyntaxKind.LogicalAndExpression } both ? node.WithExpression(Parts(both, SyntaxKind.LogicalAndExpression, "Holds", node)) : base.VisitArrowExpressionClause(node);

    private static bool IsExit(StatementSyntax statement)
    {
        StatementSyntax? last = statement is BlockSyntax block ? block.Statements.LastOrDefault() : statement;
        return last switch
        {
            ContinueStatementSyntax or BreakStatementSyntax => true,
            ReturnStatementSyntax { Expression: null or LiteralExpressionSyntax { RawKind: (int)SyntaxKind.FalseLiteralExpression or (int)SyntaxKind.NullLiteralExpression or (int)SyntaxKind.NumericLiteralExpression } } => true,
            _ => false,
        };
    }

    private ExpressionSyntax Parts(ExpressionSyntax condition, SyntaxKind joint, string method, SyntaxNode statement)
    {
        if (condition is BinaryExpressionSyntax binary && binary.IsKind(joint)) return binary.WithLeft(Parts(binary.Left, joint, method, statement)).WithRight(Parts(binary.Right, joint, method, statement));
        return Whole(condition, method, statement);
    }

    private ExpressionSyntax Whole(ExpressionSyntax part, string method, SyntaxNode statement)
    {
        // What names a value that is used later is no condition alone: without it there is nothing to go on with.
        SyntaxNode member = statement.AncestorsAndSelf().First(n => n is MemberDeclarationSyntax or LocalFunctionStatementSyntax);
        HashSet<string> named = [.. part.DescendantNodes().OfType<SingleVariableDesignationSyntax>().Select(d => d.Identifier.Text)];
        if (named.Count > 0 && member.DescendantNodes().OfType<IdentifierNameSyntax>().Any(i => named.Contains(i.Identifier.Text) && !part.Span.Contains(i.Span))) return part;
        if (part is LiteralExpressionSyntax) return part;
        int id = guards.Count;
        FileLinePositionSpan span = part.SyntaxTree.GetLineSpan(part.Span);
        guards.Add(new Guard(id.ToString(CultureInfo.InvariantCulture), string.Create(CultureInfo.InvariantCulture, $"{place}:{span.StartLinePosition.Line + 1}"), part.ToString()));
        return SyntaxFactory.ParseExpression(string.Create(CultureInfo.InvariantCulture, $"global::TrtTools.Mutants.{method}({id}, {part})")).WithTriviaFrom(part);
    }

    /// <summary>Conditions inside property patterns (<c>is not { HasSingleUse: true, Producer: { } p }</c>), each with the file without it.</summary>
    public static IEnumerable<Guard> InPatterns(SyntaxTree tree, string place, int first)
    {
        SyntaxNode root = tree.GetRoot();
        int id = first;
        foreach (SubpatternSyntax sub in root.DescendantNodes().OfType<SubpatternSyntax>())
        {
            if (sub.Parent is not PropertyPatternClauseSyntax clause || sub.Pattern.DescendantNodesAndSelf().Any(n => n is VariableDesignationSyntax) || sub.ExpressionColon is null) continue;
            if (sub.Pattern is RecursivePatternSyntax { PropertyPatternClause.Subpatterns.Count: 0 }) continue;
            PropertyPatternClauseSyntax without = clause.WithSubpatterns(clause.Subpatterns.Remove(sub));
            SyntaxTree changed = tree.WithRootAndOptions(root.ReplaceNode(clause, without), tree.Options);
            FileLinePositionSpan span = tree.GetLineSpan(sub.Span);
            yield return new Guard(string.Create(CultureInfo.InvariantCulture, $"p{id++}"), string.Create(CultureInfo.InvariantCulture, $"{place}:{span.StartLinePosition.Line + 1}"), $"{{ {sub} }}", tree, changed);
        }
    }
}
