using TrtTools.Ir;
using TrtTools.Surgery;
using TrtTools.Tensors;
using static TrtTools.Tests.Surgery.Operating;

namespace TrtTools.Tests.Surgery;

public sealed class InterfaceTests
{
    private const string Graph = "x: Float32[N,3] -> y: Float32[N,3] { w = Float32[3] ones; a = Mul(x, w); b = Relu(a); y = Exp(b) }";

    private static OnnxGraph Input(string text, InputChangeOptions options) => On(text, g => InputChange.Set(g, options));

    private static OnnxGraph Output(string text, OutputChangeOptions options) => On(text, g => OutputChange.Set(g, options, Report.None));

    [Fact]
    public void An_inputs_shape_changes_and_all_behind_it()
    {
        OnnxGraph after = Input(Graph, new InputChangeOptions { Name = ["x"], Shape = ["1", "3"] });
        Assert.Equal("x: Float32[1,3]", after.Inputs[0].ToString());
        Assert.Equal("y: Float32[1,3]", after.Outputs[0].ToString());
        after = Input(Graph, new InputChangeOptions { Name = ["x"], Shape = ["batch", "3"] });
        Assert.Equal("y: Float32[batch,3]", after.Outputs[0].ToString());
        Assert.Equal("x: Float32[?,3]", Input(Graph, new InputChangeOptions { Name = ["x"], Shape = ["?", "3"] }).Inputs[0].ToString());
    }

    [Fact]
    public void A_shape_that_the_nodes_do_not_take_is_refused() =>
        Assert.Contains("'a' (Mul)", Refused(Graph, ErrorCode.ChangeRefused, g => InputChange.Set(g, new InputChangeOptions { Name = ["x"], Shape = ["N", "4"] })).Message, StringComparison.Ordinal);

    [Fact]
    public void An_element_type_changes_where_all_nodes_take_it()
    {
        OnnxGraph after = Input("x: Float32[2] -> y: Float32[2] { a: Float32[2] = Relu(x); y = Exp(a) }", new InputChangeOptions { Name = ["x"], DataType = DataType.Float16 });
        Assert.Equal("y: Float16[2]", after.Outputs[0].ToString());
        Assert.Contains("Float16", Refused(Graph, ErrorCode.ChangeRefused, g => InputChange.Set(g, new InputChangeOptions { Name = ["x"], DataType = DataType.Float16 })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Symbols_change_everywhere()
    {
        OnnxGraph after = Input(Graph, new InputChangeOptions { Symbols = new Dictionary<string, string> { ["N"] = "batch" } });
        Assert.Equal(["x: Float32[batch,3]", "y: Float32[batch,3]"], after.Inputs.Concat(after.Outputs).Select(t => t.ToString()));
        Assert.Equal("y: Float32[8,3]", Input(Graph, new InputChangeOptions { Symbols = new Dictionary<string, string> { ["N"] = "8" } }).Outputs[0].ToString());
        Assert.Contains("'N'", Refused(Graph, ErrorCode.OptionInvalid, g => InputChange.Set(g, new InputChangeOptions { Symbols = new Dictionary<string, string> { ["M"] = "8" } })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_tensor_in_the_middle_becomes_an_input_and_what_fed_it_goes()
    {
        OnnxGraph after = Input(Graph, new InputChangeOptions { Name = ["b"], Action = InputAction.Add });
        Assert.Equal("y = Exp(b)", TestGraphs.Nodes(after));
        Assert.Equal(["x: Float32[N,3]", "b: Float32[N,3]"], after.Inputs.Select(i => i.ToString()));
        Assert.Empty(after.Initializers);
    }

    [Fact]
    public void A_weight_becomes_an_input() =>
        Assert.Equal(["x: Float32[N,3]", "w: Float32[3]"], Input(Graph, new InputChangeOptions { Name = ["w"], Action = InputAction.Add }).Inputs.Select(i => i.ToString()));

    [Fact]
    public void One_output_of_several_becomes_an_input()
    {
        OnnxGraph after = Input("<opset 18> x: Float32[4] -> y: Float32[2] { a, b = Split(x){num_outputs=2}; y = Add(a, b) }", new InputChangeOptions { Name = ["a"], Action = InputAction.Add });
        Assert.Equal("a_before, b = Split(x){num_outputs=2}; y = Add(a, b)", TestGraphs.Nodes(after));
    }

    [Fact]
    public void An_input_that_was_not_there_needs_a_type()
    {
        Assert.Equal(["x", "mask"], Input(Graph, new InputChangeOptions { Name = ["mask"], Action = InputAction.Add, DataType = DataType.Bool, Shape = ["N"] }).Inputs.Select(i => i.Name));
        Refused(Graph, ErrorCode.OptionInvalid, g => InputChange.Set(g, new InputChangeOptions { Name = ["mask"], Action = InputAction.Add }));
        Refused(Graph, ErrorCode.ChangeRefused, g => InputChange.Set(g, new InputChangeOptions { Name = ["x"], Action = InputAction.Add }));
    }

    [Fact]
    public void An_input_is_removed_or_becomes_a_constant()
    {
        Assert.Equal(["x"], Input("x: Float32[2], z: Float32 -> y: Float32[2] { y = Exp(x) }", new InputChangeOptions { Name = ["z"], Action = InputAction.Remove }).Inputs.Select(i => i.Name));
        OnnxGraph after = Input("x: Float32[2], z: Float32 -> y: Float32[2] { y = Mul(x, z) }", new InputChangeOptions { Name = ["z"], Action = InputAction.Remove, Value = Operating.Tensor("z", 2) });
        Assert.Equal(["z: Float32[]"], after.Initializers.Select(i => i.ToString()));
        Assert.Contains("'y'", Refused("x: Float32[2], z: Float32 -> y: Float32[2] { y = Mul(x, z) }", ErrorCode.ChangeRefused, g => InputChange.Set(g, new InputChangeOptions { Name = ["z"], Action = InputAction.Remove })).Message, StringComparison.Ordinal);
        Refused("x: Float32[2], z: Float32[] -> y: Float32[2] { y = Mul(x, z) }", ErrorCode.InputInvalid, g => InputChange.Set(g, new InputChangeOptions { Name = ["z"], Action = InputAction.Remove, Value = Operating.Tensor("z", 1, 2, 3) }));
        Refused("x: Float32[2] -> x, y: Float32[2] { y = Exp(x) }", ErrorCode.ChangeRefused, g => InputChange.Set(g, new InputChangeOptions { Name = ["x"], Action = InputAction.Remove, Value = Operating.Tensor("x", 1, 2) }));
    }

    [Fact]
    public void Unknown_inputs_are_named()
    {
        Assert.Contains("node 'y' computes it", Refused(Graph, ErrorCode.InputNotFound, g => InputChange.Set(g, new InputChangeOptions { Name = ["y"], Shape = ["1"] })).Message, StringComparison.Ordinal);
        Assert.Contains("'x'", Refused(Graph, ErrorCode.TensorNotFound, g => InputChange.Set(g, new InputChangeOptions { Name = ["xx"], Shape = ["1"] })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Tensors_become_outputs_with_their_types()
    {
        OnnxGraph after = Output(Graph, new OutputChangeOptions { Name = ["a"], Action = OutputAction.Add });
        Assert.Equal(["y: Float32[N,3]", "a: Float32[N,3]"], after.Outputs.Select(o => o.ToString()));
        // Twice is once.
        Assert.Equal(2, Output(Graph, new OutputChangeOptions { Name = ["a", "y", "a"], Action = OutputAction.Add }).Outputs.Count);
        // An input, and a weight that a node carries.
        Assert.Equal(["y", "x"], Output(Graph, new OutputChangeOptions { Name = ["x"], Action = OutputAction.Add }).Outputs.Select(o => o.Name));
        after = Output(Graph, new OutputChangeOptions { Name = ["w"], Action = OutputAction.Add });
        Assert.Equal(["y", "w"], after.Outputs.Select(o => o.Name));
        Assert.Equal("w = Identity(w_constant); a = Mul(x, w_constant); b = Relu(a); y = Exp(b)", TestGraphs.Nodes(after));
    }

    [Fact]
    public void Every_tensor_becomes_an_output_but_for_those_left_out()
    {
        Assert.Equal(["y", "a", "b"], Output(Graph, new OutputChangeOptions { Action = OutputAction.All }).Outputs.Select(o => o.Name));
        Assert.Equal(["y", "b"], Output(Graph, new OutputChangeOptions { Action = OutputAction.All, Name = ["a"] }).Outputs.Select(o => o.Name));
    }

    [Fact]
    public void Outputs_go_with_what_led_only_to_them()
    {
        const string Two = "x: Float32[2] -> y: Float32[2], z: Float32[2] { a = Relu(x); b = Neg(a); z = Abs(b); y = Exp(a) }";
        Assert.Equal("a = Relu(x); y = Exp(a)", TestGraphs.Nodes(Output(Two, new OutputChangeOptions { Name = ["z"], Action = OutputAction.Remove })));
        Assert.Equal("a = Relu(x); b = Neg(a); z = Abs(b); y = Exp(a)", TestGraphs.Nodes(Output(Two, new OutputChangeOptions { Name = ["z"], Action = OutputAction.Remove, KeepUnused = true })));
        Assert.Equal("a = Relu(x); b = Neg(a)", TestGraphs.Nodes(Output(Two, new OutputChangeOptions { Name = ["b"], Action = OutputAction.Only })));
        Refused(Two, ErrorCode.ChangeRefused, g => OutputChange.Set(g, new OutputChangeOptions { Name = ["*"], Action = OutputAction.Remove }, Report.None));
    }

    [Fact]
    public void An_outputs_declaration_must_be_true()
    {
        Assert.Equal("y: Float32[batch,3]", Output(Graph, new OutputChangeOptions { Name = ["y"], Shape = ["batch", "3"] }).Outputs[0].ToString());
        Assert.Contains("Float32", Refused(Graph, ErrorCode.ChangeRefused, g => OutputChange.Set(g, new OutputChangeOptions { Name = ["y"], DataType = DataType.Int64 }, Report.None)).Message, StringComparison.Ordinal);
        Refused(Graph, ErrorCode.ChangeRefused, g => OutputChange.Set(g, new OutputChangeOptions { Name = ["y"], Shape = ["N", "4"] }, Report.None));
        Refused(Graph, ErrorCode.TensorNotFound, g => OutputChange.Set(g, new OutputChangeOptions { Name = ["a"], Shape = ["N", "4"] }, Report.None));
    }

    [Fact]
    public void Tensors_of_subgraphs_cannot_be_outputs() =>
        Assert.Contains("then_branch", Refused("c: Bool, x: Float32[2] -> y: Float32[2] { y = If(c){then_branch=() -> t: Float32[2] { t = Neg(x) }, else_branch=() -> e: Float32[2] { e = Abs(x) }} }",
            ErrorCode.ChangeRefused, g => OutputChange.Set(g, new OutputChangeOptions { Name = ["t"], Action = OutputAction.Add }, Report.None)).Message, StringComparison.Ordinal);
}
