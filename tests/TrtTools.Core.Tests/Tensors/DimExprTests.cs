using CsCheck;
using TrtTools.Tensors;

namespace TrtTools.Tests.Tensors;

public sealed class DimExprTests
{
    private static readonly DimExpr h = DimExpr.Symbol("h"), w = DimExpr.Symbol("w");

    [Fact]
    public void Sums_and_products_have_one_form()
    {
        Assert.Equal("2*h+3", ((h + 1) * 2 + 1).ToString());
        Assert.Equal((h + w) * (h + w), (h * h) + (2 * h * w) + (w * w));
        Assert.Equal(DimExpr.Zero, h - h);
        Assert.Equal("0", (h * 0).ToString());
    }

    [Theory]
    [InlineData("h", 1, "h")]
    [InlineData("(h-1)/2+1", 2, "floor((h+1)/2)")]
    public void Strides_read_well(string label, long stride, string expected) =>
        Assert.True(expected == (DimExpr.FloorDiv(h - 1, stride) + 1).ToString(), label);

    [Fact]
    public void Floors_are_joined_and_reduced()
    {
        DimExpr halved = DimExpr.FloorDiv(h + 1, 2);
        Assert.Equal("floor((h+3)/4)", DimExpr.FloorDiv(halved + 1, 2).ToString());
        Assert.Equal(h, DimExpr.FloorDiv((4 * h) + 3, 4));
        Assert.Equal("floor(h/2)", DimExpr.FloorDiv((2 * h) + 1, 4).ToString());
        Assert.Equal("floor(w/4)+h", DimExpr.FloorDiv((4 * h) + w, 4).ToString());
        Assert.Equal(h, DimExpr.FloorDiv(h * w, w));
        Assert.Equal(DimExpr.FloorDiv(h, 2), DimExpr.FloorDiv(DimExpr.Zero - h, -2));
    }

    [Fact]
    public void Minimum_and_maximum_of_a_constant_distance_are_decided()
    {
        Assert.Equal(h + 1, DimExpr.Max(h, h + 1));
        Assert.Equal(h, DimExpr.Min(h, h + 1));
        Assert.Equal(DimExpr.Max(h, w), DimExpr.Max(w, h));
        Assert.Equal("max(h,w)", DimExpr.Max(w, h).ToString());
    }

    [Fact]
    public void Broadcasting_against_a_constant_is_decided()
    {
        Assert.Equal(h, DimExpr.Broadcast(h, 1));
        Assert.Equal(DimExpr.Constant(4), DimExpr.Broadcast(h, 4));
        DimExpr both = DimExpr.Broadcast(h, w);
        Assert.Equal(5, both.Evaluate(new Dictionary<string, long> { ["h"] = 1, ["w"] = 5 }));
        Assert.Null(both.Evaluate(new Dictionary<string, long> { ["h"] = 2, ["w"] = 5 }));
    }

    [Fact]
    public void A_name_that_reads_as_an_expression_stays_a_name()
    {
        DimExpr odd = DimExpr.Symbol("past + 1"), product = DimExpr.Symbol("h*w");
        Assert.Equal("past + 1", odd.ToString());
        Assert.Equal("past + 1", odd.SymbolName);
        Assert.Equal("{past + 1}+1", (odd + 1).ToString());
        Assert.NotEqual(h * w, product);
        Assert.NotEqual(DimExpr.Constant(3), DimExpr.Symbol("3"));
    }

    [Fact]
    public void Overflow_has_no_value()
    {
        DimExpr cube = h * h * h;
        Assert.Null(cube.Evaluate(new Dictionary<string, long> { ["h"] = long.MaxValue / 2 }));
        Assert.Throws<OverflowException>(() => DimExpr.Constant(long.MaxValue) * 2);
        Assert.Throws<DivideByZeroException>(() => DimExpr.FloorDiv(h, 0));
        Assert.Null(DimExpr.FloorDiv(h, w).Evaluate(new Dictionary<string, long> { ["h"] = 1, ["w"] = 0 }));
    }

    [Fact]
    public void Generated_symbols_are_known_for_what_they_are()
    {
        DimExpr generated = DimExpr.GeneratedSymbol("x.0");
        Assert.True((DimExpr.FloorDiv(generated + h, 2) * w).HasGeneratedSymbol);
        Assert.False((h + w).HasGeneratedSymbol);
        Assert.Equal(["h", "x.0"], DimExpr.Max(h, generated).Symbols.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Substitution_simplifies()
    {
        DimExpr e = DimExpr.FloorDiv(h + 3, 4) * DimExpr.Max(w, 2);
        Assert.Equal(DimExpr.Constant(15), e.Substitute(s => s == "h" ? 9 : 5));
        Assert.Equal("3*max(2,w)", e.Substitute(s => s == "h" ? 9 : null).ToString());
    }

    [Theory]
    [InlineData("0")]
    [InlineData("-9223372036854775808")]
    [InlineData("9223372036854775807")]
    [InlineData("-h")]
    [InlineData("h-3*h*h*w-12")]
    [InlineData("floor((h+3)/4)*w+2")]
    [InlineData("floor(-3/h)")]
    [InlineData("floor(h/w)")]
    [InlineData("floor((h*w+1)/(h+w))")]
    [InlineData("broadcast(h,w)-max(floor(h/2),w)+min(2*h,w*w)")]
    [InlineData("floor")]
    [InlineData("{}")]
    [InlineData("{a}}b{c}*{past + 1}")]
    [InlineData("Größe.x:y+{3}")]
    public void What_was_written_is_read(string text)
    {
        DimExpr read = DimExpr.Parse(text);
        Assert.Equal(text, read.Text);
        Assert.Equal(read, DimExpr.Parse(read.Text));
    }

    [Theory]
    [InlineData("")]
    [InlineData("h w")]
    [InlineData("h+")]
    [InlineData("--h")]
    [InlineData("(h)")]
    [InlineData("h*(h+w)")]
    [InlineData("3h")]
    [InlineData("{h")]
    [InlineData("floor(h)")]
    [InlineData("floor(h+1/2)")]
    [InlineData("floor(h/0)")]
    [InlineData("min(h,w")]
    [InlineData("exp(h,w)")]
    [InlineData("9223372036854775808")]
    [InlineData("9223372036854775807*2*h")]
    public void What_was_never_written_is_refused(string text) => Assert.Throws<FormatException>(() => DimExpr.Parse(text));

    [Fact]
    public void Text_nested_without_end_is_refused()
    {
        Assert.Throws<FormatException>(() => DimExpr.Parse(string.Concat(Enumerable.Repeat("max(", 100_000)) + "h"));
        Assert.Throws<FormatException>(() => DimExpr.Parse(string.Concat(Enumerable.Repeat("floor(", 100_000)) + "h"));
    }

    [Fact]
    public void A_name_that_reads_as_an_expression_is_read_as_the_name()
    {
        foreach (string name in new[] { "past + 1", "h*w", "3", "", "}", "{a", "floor(h/2)", "-h" })
        {
            Assert.Equal(name, DimExpr.Parse(DimExpr.Symbol(name).Text).SymbolName);
        }
    }

    // An expression beside a function that computes the same thing on numbers.
    private sealed record Twin(DimExpr Expr, Func<long, long, long> Compute);

    private static readonly Gen<Twin> s_leaves = Gen.OneOf(
        Gen.Const(new Twin(h, (x, _) => x)), Gen.Const(new Twin(w, (_, y) => y)), Gen.Long[-7, 7].Select(c => new Twin(c, (_, _) => c)));

    private static readonly Gen<Twin> s_twins = Gen.Recursive<Twin>((depth, inner) => depth > 4 ? s_leaves : Gen.OneOf(
        s_leaves,
        Gen.Select(inner, inner, (a, b) => new Twin(a.Expr + b.Expr, (x, y) => a.Compute(x, y) + b.Compute(x, y))),
        Gen.Select(inner, inner, (a, b) => new Twin(a.Expr - b.Expr, (x, y) => a.Compute(x, y) - b.Compute(x, y))),
        Gen.Select(inner, Gen.Long[-3, 3], (a, c) => new Twin(a.Expr * c, (x, y) => a.Compute(x, y) * c)),
        Gen.Select(inner, Gen.Long[1, 6], (a, d) => new Twin(DimExpr.FloorDiv(a.Expr, d), (x, y) => (long)Math.Floor((decimal)a.Compute(x, y) / d))),
        Gen.Select(inner, Gen.Long[-5, -1], (a, d) => new Twin(DimExpr.FloorDiv(a.Expr, d), (x, y) => (long)Math.Floor((decimal)a.Compute(x, y) / d))),
        Gen.Select(inner, Gen.Long[1, 6], (a, d) => new Twin(DimExpr.Modulo(a.Expr, d), (x, y) => ((a.Compute(x, y) % d) + d) % d)),
        Gen.Select(inner, inner, (a, b) => new Twin(DimExpr.Max(a.Expr, b.Expr), (x, y) => Math.Max(a.Compute(x, y), b.Compute(x, y)))),
        Gen.Select(inner, inner, (a, b) => new Twin(DimExpr.Min(a.Expr, b.Expr), (x, y) => Math.Min(a.Compute(x, y), b.Compute(x, y))))));

    [Fact]
    public void Whatever_is_simplified_keeps_its_value() => Gen.Select(s_twins, Gen.Long[0, 40], Gen.Long[0, 40]).Sample((twin, x, y) =>
    {
        Dictionary<string, long> symbols = new() { ["h"] = x, ["w"] = y };
        return twin.Expr.Evaluate(symbols) == twin.Compute(x, y);
    });

    [Fact]
    public void Every_expression_is_read_from_its_text() => Gen.Select(s_twins, s_twins).Sample((a, b) =>
        new[] { a.Expr, DimExpr.Broadcast(a.Expr, b.Expr), b.Expr.IsConstant ? a.Expr : DimExpr.FloorDiv(a.Expr, b.Expr) }.All(e => DimExpr.Parse(e.Text).Equals(e)));

    [Fact]
    public void Substitution_commutes_with_evaluation() => Gen.Select(s_twins, Gen.Long[0, 40], Gen.Long[0, 40]).Sample((twin, x, y) =>
        twin.Expr.Substitute(s => s == "h" ? x : null).Substitute(s => s == "w" ? y : null).Equals(DimExpr.Constant(twin.Compute(x, y))));

    [Fact]
    public void A_form_without_minus_signs_is_never_negative() => Gen.Select(s_twins, Gen.Long[0, 40], Gen.Long[0, 40]).Sample((twin, x, y) =>
        !twin.Expr.HasOnlyNonNegativeTerms || twin.Compute(x, y) >= 0);

    [Fact]
    public void Addition_and_multiplication_commute_and_distribute() => Gen.Select(s_twins, s_twins, s_twins).Sample((a, b, c) =>
        (a.Expr + b.Expr).Equals(b.Expr + a.Expr) && (a.Expr * b.Expr).Equals(b.Expr * a.Expr) && (a.Expr * (b.Expr + c.Expr)).Equals((a.Expr * b.Expr) + (a.Expr * c.Expr)), iter: 200);
}
