using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Surgery;
using TrtTools.Tensors;
using static TrtTools.Tests.Surgery.Operating;

namespace TrtTools.Tests.Surgery;

public sealed class DynamicShapeTests
{
    private static OnnxGraph Dynamic(string text, DynamicShapeOptions? options = null) => On(text, g => DynamicShapeConversion.Convert(g, options ?? new DynamicShapeOptions(), Report.None, CancellationToken.None));

    private static TrtToolsException Refused(string text, DynamicShapeOptions? options = null) =>
        Operating.Refused(text, ErrorCode.ChangeRefused, g => DynamicShapeConversion.Convert(g, options ?? new DynamicShapeOptions(), Report.None, CancellationToken.None));

    [Fact]
    public void The_batch_of_every_input_and_output_becomes_a_symbol()
    {
        OnnxGraph after = Dynamic("x: Float32[1,3] -> y: Float32[1,3] { w = Float32[3] ones; a = Mul(x, w); y = Relu(a) }");
        Assert.Equal("x: Float32[batch,3]", after.Inputs[0].ToString());
        Assert.Equal("y: Float32[batch,3]", after.Outputs[0].ToString());
    }

    [Theory]
    [InlineData("x: Float32[1,8,2] -> y: Float32[1,16] { s = Int64[2] [1, 16]; y = Reshape(x, s) }", "0,16")]
    [InlineData("x: Float32[1,8,2] -> y: Float32[1,16] { s = Int64[2] [1, -1]; y = Reshape(x, s) }", "0,16")]
    [InlineData("x: Float32[1,8,2] -> y: Float32[4,4] { s = Int64[2] [4, 4]; y = Reshape(x, s) }", "-1,4")]
    [InlineData("x: Float32[1,8,2] -> y: Float32[16] { s = Int64[1] -1; y = Reshape(x, s) }", "-1")]
    public void Reshape_targets_follow_the_batch(string text, string target)
    {
        OnnxGraph after = Dynamic(text);
        Value? shape = after.Body.Nodes.Single(n => n.Is("Reshape")).Inputs[1];
        Assert.Equal(target, string.Join(',', shape!.Data!.ToInt64()));
    }

    [Fact]
    public void A_state_beside_a_free_batch_is_not_taken_for_the_batch()
    {
        string message = Operating.Refused("x: Float32[?,3], h: Float32[2,3] -> y: Float32[?,3], g: Float32[2,3] { y = Relu(x); g = Relu(h) }", ErrorCode.OptionInvalid,
            g => DynamicShapeConversion.Convert(g, new DynamicShapeOptions(), Report.None, CancellationToken.None)).Message;
        Assert.Contains("2 ('h', extent 0) and for the free extent 0 of 'x'", message, StringComparison.Ordinal);
        Assert.Equal("h: Float32[batch,3]", Dynamic("x: Float32[?,3], h: Float32[1,3] -> y: Float32[?,3] { y = Add(x, h) }").Inputs[1].ToString());
    }

    [Fact]
    public void Two_extents_of_one_input_can_have_one_symbol()
    {
        OnnxGraph after = Dynamic("x: Float32[1,1,3] -> y: Float32[1,1,3] { y = Relu(x) }", new DynamicShapeOptions { InputShape = new Dictionary<string, IReadOnlyList<string>> { ["x"] = ["n", "n", "3"] } });
        Assert.Equal("y: Float32[n,n,3]", after.Outputs[0].ToString());
    }

    [Fact]
    public void A_token_put_in_front_is_repeated_for_each_sample()
    {
        OnnxGraph after = Dynamic("x: Float32[1,4,2] -> y: Float32[1,5,2] { t = Float32[1,1,2] ones; y = Concat(t, x){axis=1} }");
        Assert.Contains(after.Body.Nodes, n => n.Is("Expand"));
        Assert.Equal("y: Float32[batch,5,2]", after.Outputs[0].ToString());
    }

    [Fact]
    public void Initial_states_and_sizes_follow()
    {
        Dynamic("x: Float32[5,1,2] -> y: Float32[5,1,1,3] { w = Float32[1,12,2] random(1); r = Float32[1,12,3] random(2); h = Float32[1,1,3] zeros; c = Float32[1,1,3] zeros; y = LSTM(x, w, r, _, _, h, c){hidden_size=3} }",
            new DynamicShapeOptions { InputShape = new Dictionary<string, IReadOnlyList<string>> { ["x"] = ["5", "batch", "2"] } });
        Assert.Equal("y: Float32[batch,1,8,8]", Dynamic("x: Float32[1,1,4,4] -> y: Float32[1,1,8,8] { s = Int64[4] [1, 1, 8, 8]; y = Resize(x, _, _, s){mode=\"nearest\"} }").Outputs[0].ToString());
    }

    [Fact]
    public void What_mixes_samples_is_refused_with_the_node()
    {
        Assert.Contains("(Squeeze) takes away extent 0", Refused("x: Float32[1,3] -> y: Float32[3] { a = Int64[1] 0; y = Squeeze(x, a) }").Message, StringComparison.Ordinal);
        Assert.Contains("'y' does not depend on 'batch'", Refused("x: Float32[1,3] -> y: Float32[] { a = Int64[2] [0, 1]; y = ReduceSum(x, a){keepdims=0} }").Message, StringComparison.Ordinal);
        Assert.Contains("samples influence each other", Refused("x: Float32[1,3] -> y: Float32[1,3] { a = Int64[1] 0; m = ReduceSum(x, a){keepdims=1}; y = Sub(x, m) }").Message, StringComparison.Ordinal);
    }

    [Fact]
    public void One_symbol_for_unequal_extents_is_refused() =>
        Operating.Refused("x: Float32[2,3] -> y: Float32[2,3] { y = Relu(x) }", ErrorCode.OptionInvalid,
            g => DynamicShapeConversion.Convert(g, new DynamicShapeOptions { InputShape = new Dictionary<string, IReadOnlyList<string>> { ["x"] = ["n", "n"] } }, Report.None, CancellationToken.None));

    [Theory]
    [InlineData("ultraface-rfb-320")]
    [InlineData("ultraface-slim-320-simplified")]
    [InlineData("light-squeezenet-rw")]
    [InlineData("blazeface-front-128")]
    public void Shipped_models_with_a_batch_of_one_run_with_three(string model)
    {
        OnnxGraph before = OnnxFile.Import(SharedModels.Path(model), Report.None, TestContext.Current.CancellationToken);
        // The conversion runs three samples at once beside three runs of one, and refuses a result that differs.
        OnnxGraph after = DynamicShapeConversion.Convert(before, new DynamicShapeOptions(), Report.None, TestContext.Current.CancellationToken);
        AssertSound(after);
        Assert.All(after.Outputs, o => Assert.Contains("batch", o.SymbolicShape));
    }
}
