using TrtTools.Data;
using TrtTools.Tensors;

namespace TrtTools.Tests.Data;

public sealed class TensorConversionTests
{
    [Fact]
    public void Nested_arrays_give_the_shape()
    {
        Tensor tensor = TensorConversion.From(new object[] { new object[] { 1, 2.0, 3L }, new object[] { (byte)4, 5f, 6m } }, "x", DataType.Float32, null);
        Assert.Equal([2, 3], tensor.Shape);
        Assert.Equal([1f, 2, 3, 4, 5, 6], (float[])tensor.Data);
    }

    [Fact]
    public void Jagged_and_rectangular_arrays_are_equal()
    {
        Tensor jagged = TensorConversion.From(new[] { new[] { 1.5, 2 }, [3, 4] }, "x", DataType.Float32, [-1, 2]);
        Tensor rectangular = TensorConversion.From(new[,] { { 1.5, 2 }, { 3, 4 } }, "x", DataType.Float32, [-1, 2]);
        Assert.True(jagged.Content.ContentEquals(rectangular.Content));
    }

    [Fact]
    public void Lists_and_tensors_within_lists_are_taken()
    {
        Tensor row = TensorConversion.From(new[] { 1, 2 }, "row", DataType.Int32, null);
        Tensor tensor = TensorConversion.From(new List<object> { row, row }, "x", DataType.Int64, null);
        Assert.Equal([2, 2], tensor.Shape);
        Assert.Equal([1L, 2, 1, 2], (long[])tensor.Data);
    }

    [Theory]
    [InlineData(5.0, DataType.Int32)]
    [InlineData(-128.0, DataType.Int8)]
    [InlineData(0.1, DataType.Float32)]
    [InlineData(0.1, DataType.Float16)]
    [InlineData(1, DataType.Bool)]
    [InlineData(16777216, DataType.Float32)]
    [InlineData(double.NaN, DataType.Float32)]
    [InlineData(double.PositiveInfinity, DataType.Float16)]
    [InlineData(9007199254740992L, DataType.Float64)]
    public void Exact_conversions_are_made(object value, DataType type) =>
        Assert.Equal(Convert.ToDouble(value, System.Globalization.CultureInfo.InvariantCulture), Convert.ToDouble(TensorConversion.From(value, "x", type, null).Content.ToDouble()[0]), 0.0001);

    [Theory]
    [InlineData(5.5, DataType.Int32)]
    [InlineData(128, DataType.Int8)]
    [InlineData(-1, DataType.UInt8)]
    [InlineData(2, DataType.Bool)]
    [InlineData(16777217, DataType.Float32)]
    [InlineData(1e39, DataType.Float32)]
    [InlineData(70000.0, DataType.Float16)]
    [InlineData(double.NaN, DataType.Int32)]
    [InlineData(9.3e18, DataType.Int64)]
    [InlineData(9007199254740993L, DataType.Float64)]
    [InlineData("5", DataType.Int32)]
    public void Inexact_conversions_name_input_element_and_type(object value, DataType type)
    {
        TrtToolsException e = Assert.Throws<TrtToolsException>(() => TensorConversion.From(new[] { value }, "pixels", type, null));
        Assert.Equal(ErrorCode.InputInvalid, e.Code);
        Assert.Contains("'pixels'", e.Message, StringComparison.Ordinal);
        Assert.Contains("element 0", e.Message, StringComparison.Ordinal);
        Assert.Contains(type.ToString(), e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_flat_array_takes_the_inputs_shape()
    {
        float[] flat = new float[24];
        Assert.Equal([1, 2, 3, 4], TensorConversion.From(flat, "x", DataType.Float32, [1, 2, 3, 4]).Shape);
        Assert.Equal([2, 3, 4], TensorConversion.From(flat, "x", DataType.Float32, [-1, 3, 4]).Shape);
        Assert.Equal([1], TensorConversion.From(16000, "sr", DataType.Int64, [1]).Shape);
        Assert.Equal([], TensorConversion.From(new[] { 16000 }, "sr", DataType.Int64, []).Shape);
    }

    [Fact]
    public void A_wrong_shape_shows_both()
    {
        TrtToolsException e = Assert.Throws<TrtToolsException>(() => TensorConversion.From(new float[2, 3], "x", DataType.Float32, [-1, 10]));
        Assert.Contains("[2,3]", e.Message, StringComparison.Ordinal);
        Assert.Contains("[?,10]", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Ragged_arrays_are_refused()
    {
        Assert.Equal(ErrorCode.InputInvalid, Assert.Throws<TrtToolsException>(() => TensorConversion.From(new[] { new[] { 1, 2 }, [3] }, "x", DataType.Int32, null)).Code);
        Assert.Equal(ErrorCode.InputInvalid, Assert.Throws<TrtToolsException>(() => TensorConversion.From(new object[] { 1, new[] { 3 } }, "x", DataType.Int32, null)).Code);
        Assert.Equal(ErrorCode.InputInvalid, Assert.Throws<TrtToolsException>(() => TensorConversion.From(new object[] { new[] { 3 }, 1 }, "x", DataType.Int32, null)).Code);
    }

    [Fact]
    public void Strings_are_taken_for_string_inputs_only()
    {
        Assert.Equal(["a", "b"], (string[])TensorConversion.From(new object[] { "a", "b" }, "x", DataType.String, [-1]).Data);
        Assert.Throws<TrtToolsException>(() => TensorConversion.From(new[] { 1 }, "x", DataType.String, null));
    }
}
