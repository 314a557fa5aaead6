using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Tests.Lowering;

public sealed class ScalarTextTests
{
    private static LoadExpr Leaf(DataType type) => new(TensorView.Dense(new Storage("s", StorageKind.Input, type, 1), [1]), []);

    private static object Evaluate(string text, params object[] inputs)
    {
        Expr[] leaves = [.. inputs.Select(i => Leaf(i switch { float => DataType.Float32, double => DataType.Float64, bool => DataType.Bool, _ => DataType.Int64 }))];
        Dictionary<Expr, object> values = [];
        for (int i = 0; i < inputs.Length; i++) values[leaves[i]] = inputs[i] switch { float f => (double)f, double d => d, bool b => b ? 1L : 0L, int n => (long)n, object other => other };
        return new ScalarEvaluator(values).Evaluate(ScalarText.Parse(text, leaves, _ => null));
    }

    [Theory]
    [InlineData("x - y - z", 7f, 2f, 1f, 4.0)]
    [InlineData("x - (y - z)", 7f, 2f, 1f, 6.0)]
    [InlineData("x + y * z", 7f, 2f, 3f, 13.0)]
    [InlineData("-x * y", 7f, 2f, 3f, -14.0)]
    [InlineData("x < y ? x : x < z ? y : z", 2.5f, 2f, 3f, 2.0)]
    [InlineData("x / y / z", 12f, 2f, 3f, 2.0)]
    [InlineData("max(x, min(y, z)) + 0.5e1", 1f, 2f, 3f, 7.0)]
    public void Precedence_is_that_of_C(string text, float x, float y, float z, double expected) => Assert.Equal(expected, Evaluate(text, x, y, z));

    [Fact]
    public void Numbers_take_the_type_of_what_they_meet()
    {
        Assert.Equal(ScalarType.Float64, ScalarText.Parse("1 + x", [Leaf(DataType.Float64)], _ => null).Type);
        Assert.Equal(ScalarType.Int64, ScalarText.Parse("1 + x", [Leaf(DataType.Int8)], _ => null).Type);
        Assert.Equal(ScalarType.Float32, ScalarText.Parse("0.5 * x", [Leaf(DataType.Int8)], _ => null).Type);
        Assert.Equal(ScalarType.Bool, ScalarText.Parse("x < 1 && x > 0", [Leaf(DataType.Int8)], _ => null).Type);
        Assert.Equal(ScalarType.Float64, ScalarText.Parse("x + y", [Leaf(DataType.Int64), Leaf(DataType.Float64)], _ => null).Type);
    }

    [Fact]
    public void Equal_subterms_are_one_object()
    {
        Expr leaf = Leaf(DataType.Float32);
        Expr product = ScalarText.Parse("exp(x + 1) * exp(x + 1)", [leaf], _ => null);
        Assert.Same(product.Operands[0], product.Operands[1]);
        Expr different = ScalarText.Parse("exp(x + 1) * exp(x + 2)", [leaf], _ => null);
        Assert.NotSame(different.Operands[0], different.Operands[1]);
    }

    [Fact]
    public void A_condition_of_attributes_alone_is_decided_and_the_other_side_not_typed()
    {
        // shl has no floating-point form.
        Expr leaf = Leaf(DataType.Float32);
        Assert.Same(leaf, ScalarText.Parse("mode == \"a\" ? x : shl(x, y)", [leaf], _ => "a"));
        Assert.Throws<ArgumentException>(() => ScalarText.Parse("mode == \"a\" ? x : shl(x, x)", [leaf], _ => "b"));
    }

    [Fact]
    public void What_is_absent_falls_back()
    {
        Expr leaf = Leaf(DataType.Float32);
        Assert.Same(leaf, ScalarText.Parse("min(max(x, y ?? -inf), z ?? high ?? inf)", [leaf], _ => null));
        Assert.Equal(2, ScalarText.Parse("y ?? z ?? x", [leaf, null, new ConstantExpr(2.0)], _ => null) is ConstantExpr { Number: 2 } ? 2 : 0);
        Assert.Contains("absent", Assert.Throws<FormatException>(() => ScalarText.Parse("x + y", [leaf], _ => null)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Any_number_of_inputs_joins()
    {
        Assert.Equal(10.0, Evaluate("add(...)", 1f, 2f, 3f, 4f));
        Assert.Equal(2.5, Evaluate("add(...) / count", 1f, 2f, 3f, 4f));
        Assert.Equal(1.0, Evaluate("add(...) / count", 1f));
    }

    [Theory]
    [InlineData("x +")]
    [InlineData("x ? 1")]
    [InlineData("max(x, 1")]
    [InlineData("x y")]
    [InlineData("(x")]
    [InlineData("\"open")]
    [InlineData("")]
    public void A_text_with_an_error_says_where(string text) =>
        Assert.Contains("expected at position", Assert.Throws<FormatException>(() => ScalarText.Parse(text, [Leaf(DataType.Float32)], _ => null)).Message, StringComparison.Ordinal);
}
