using TrtTools.Ops;
using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>LSTM, GRU and RNN: the products with the inputs for all steps at once, then a sequence of steps whose state is the output of the step before.</summary>
internal static class RecurrenceForm
{
    public static IReadOnlyDictionary<string, LoweringRule> Rules { get; } = new Dictionary<string, LoweringRule>(StringComparer.Ordinal) { ["LSTM"] = Lstm, ["GRU"] = Gru, ["RNN"] = Rnn };

    /// <summary>What the three have in common. Axes are shared by all nests: <see cref="Time"/> counts steps, backwards in time for a direction that is reversed.</summary>
    private sealed class Cell
    {
        private readonly NodeLowering _node;
        private readonly bool _batchFirst;
        private readonly double? _clip;
        private readonly string[] _activations;

        public Cell(NodeLowering node, int gates, string[] standard)
        {
            _node = node;
            _batchFirst = node.View.Int("layout", 0) != 0;
            Direction = node.View.String("direction", "forward");
            Directions = Direction == "bidirectional" ? 2 : 1;
            _clip = node.View.HasAttribute("clip") ? node.View.Float("clip", 0) : null;
            string[]? given = node.View.Attribute("activations")?.Content is byte[][] names ? [.. names.Select(n => System.Text.Encoding.UTF8.GetString(n))] : null;
            _activations = given ?? [.. Enumerable.Repeat(standard, Directions).SelectMany(a => a)];
            X = node.Input(0);
            Hidden = node.Input(2).Shape[2];
            Steps = X.Shape[_batchFirst ? 1 : 0];
            Batch = X.Shape[_batchFirst ? 0 : 1];
            Time = new Axis("t", Steps);
            D = new Axis("d", Directions);
            B = new Axis("b", Batch);
            Gates = gates;
            PerDirection = standard.Length;
        }

        public string Direction { get; }
        public int Directions { get; }
        public int Gates { get; }
        public int PerDirection { get; }
        public LoweredValue X { get; }
        public DimExpr Hidden { get; }
        public DimExpr Steps { get; }
        public DimExpr Batch { get; }
        public Axis Time { get; }
        public Axis D { get; }
        public Axis B { get; }

        public string? Problem()
        {
            if (!X.Type.IsFloatingPoint()) return $"no kernel computes it in {X.Type}";
            if (_node.Has(4) && !(_node.Constant(4) is { } lengths && Steps.TryGetValue(out long steps) && lengths.ToInt64().All(l => l == steps))) return "its sequences have lengths of their own";
            if (_activations.Length != PerDirection * Directions || _activations.FirstOrDefault(a => a.ToUpperInvariant() is not ("SIGMOID" or "TANH" or "RELU")) is { }) return $"its activations are {string.Join(", ", _activations)}";
            return _node.View.HasAttribute("activation_alpha") || _node.View.HasAttribute("activation_beta") ? "its activations have parameters" : null;
        }

        /// <summary>The products with the input, with both biases: one for each step, direction, batch element and gate.</summary>
        /// <param name="withRecurrentBias">Of a gate's number, whether its recurrent bias is added here.</param>
        public LoweredValue Products(Func<int, bool> withRecurrentBias)
        {
            LoweredValue w = _node.Input(1);
            LoweredValue? bias = _node.Optional(3);
            LoweredValue products = _node.Scratch("products", Wide, [Steps, Directions, Batch, Hidden * Gates]);
            Axis k = new("k", X.Shape[2]);
            _node.Emit(RegionKind.Nests, NodeLowering.Reduce(products, [k], Combiner.Sum,
                index => Ex.Call("mul", Ex.Convert(Ex.Load(X, _batchFirst ? [index[2], index[0], Ex.Of(k)] : [index[0], index[2], Ex.Of(k)]), Scalar), Ex.Convert(Ex.Load(w, index[1], index[3], Ex.Of(k)), Scalar)),
                (sum, index) =>
                {
                    if (bias is null) return sum;
                    Expr total = Ex.Call("add", sum, Ex.Convert(Ex.Load(bias, index[1], index[3]), Scalar)), recurrent = Ex.Convert(Ex.Load(bias, index[1], Ex.Add(index[3], Ex.Extent(Hidden * Gates))), Scalar);
                    bool[] with = [.. Enumerable.Range(0, Gates).Select(withRecurrentBias)];
                    if (with.All(b => b)) return Ex.Call("add", total, recurrent);
                    // Gates with the recurrent bias come first.
                    int count = with.TakeWhile(b => b).Count();
                    return count == 0 ? total : Ex.Select(Ex.Less(index[3], Ex.Extent(Hidden * count)), Ex.Call("add", total, recurrent), total);
                }));
            return products;
        }

        public DataType Wide => X.Type == DataType.Float64 ? DataType.Float64 : DataType.Float32;

        public ScalarType Scalar => Wide.ScalarType();

        /// <summary>The moment of a step: its number, or counted from the end.</summary>
        public Expr Moment => Backwards(Ex.Of(Time), Ex.Sub(Ex.Extent(Steps - DimExpr.One), Ex.Of(Time)));

        private Expr Backwards(Expr forward, Expr reverse) => Direction switch { "forward" => forward, "reverse" => reverse, _ => new SelectExpr(Ex.Call("eq", Ex.Of(D), Ex.Zero), forward, reverse) };

        public Expr[] OutputPlace(Expr moment, Expr j) => _batchFirst ? [Ex.Of(B), moment, Ex.Of(D), j] : [moment, Ex.Of(D), Ex.Of(B), j];

        public Expr IsFirst => Ex.Call("eq", Ex.Of(Time), Ex.Zero);

        /// <summary>An element of the state that a step starts with.</summary>
        public Expr Before(LoweredValue y, LoweredValue? initial, Expr j)
        {
            Expr start = initial is null ? Ex.Constant(0, Scalar) : Ex.Convert(Ex.Load(initial, _batchFirst ? [Ex.Of(B), Ex.Of(D), j] : [Ex.Of(D), Ex.Of(B), j]), Scalar);
            Expr moment = Backwards(Ex.Sub(Ex.Of(Time), Ex.One), Ex.Sub(Ex.Extent(Steps), Ex.Of(Time)));
            return new SelectExpr(IsFirst, start, Ex.Convert(new LoadExpr(y.View, OutputPlace(moment, j)), Scalar));
        }

        /// <summary>A nest of each step over (direction, batch, j) into a value of the shape [direction, batch, extent].</summary>
        public LoopNest Step(LoweredValue target, Func<Expr, Expr> result)
        {
            Axis j = new("j", target.Shape[2]);
            return new LoopNest { Name = target.Name, Space = [Time, D, B, j], Place = [Ex.Of(D), Ex.Of(B), Ex.Of(j)], Result = result(Ex.Of(j)), Target = target.View };
        }

        /// <summary>Products of the state with recurrent weights: what <paramref name="state"/> gives for k, times R[d, row(j), k].</summary>
        public LoopNest Product(LoweredValue target, Func<Expr, Expr> state, Func<Expr, Expr> row, Func<Expr, Expr, Expr> result)
        {
            LoweredValue r = _node.Input(2);
            Axis j = new("j", target.Shape[2]), k = new("k", Hidden);
            Expr body = Ex.Call("mul", state(Ex.Of(k)), Ex.Convert(Ex.Load(r, Ex.Of(D), row(Ex.Of(j)), Ex.Of(k)), Scalar));
            return new LoopNest
            {
                Name = target.Name, Space = [Time, D, B, j], Reduced = [k], Combine = Combiner.Sum, Place = [Ex.Of(D), Ex.Of(B), Ex.Of(j)], Body = body, Result = result(new ReducedExpr(body.Type), Ex.Of(j)), Target = target.View,
            };
        }

        /// <summary>The nest that writes a step's output.</summary>
        public LoopNest Output(LoweredValue y, Func<Expr, Expr> result)
        {
            Axis j = new("j", Hidden);
            return new LoopNest { Name = y.Name, Space = [Time, D, B, j], Place = OutputPlace(Moment, Ex.Of(j)), Result = result(Ex.Of(j)), Target = y.View };
        }

        public LoweredValue State(string suffix, DimExpr extent) => _node.Scratch(suffix, Wide, [Directions, Batch, extent]);

        /// <summary>The output of all steps; a scratch value where nobody wants it, since the steps read it.</summary>
        public LoweredValue Y() => _node.Node.Output(0) is not null ? _node.Output() : _node.Scope.Scratch(_node.Node.DisplayName + ".steps", X.Type, _batchFirst ? [Batch, Steps, Directions, Hidden] : [Steps, Directions, Batch, Hidden]);

        public Expr Clipped(Expr value) => _clip is { } limit ? Ex.Min(Ex.Max(value, Ex.Number(-limit, Scalar)), Ex.Number(limit, Scalar)) : value;

        public Expr Activate(int number, Expr value)
        {
            // The clip is for what goes into a gate, not for the cell's state.
            if (number < 2) value = Clipped(value);
            Expr Of(string name) => name.ToUpperInvariant() switch
            {
                "SIGMOID" => Ex.Div(Ex.Number(1, Scalar), Ex.Call("add", Ex.Number(1, Scalar), Ex.Call("exp", Ex.Call("neg", value)))),
                "TANH" => Ex.Call("tanh", value), _ => Ex.Max(value, Ex.Number(0, Scalar)),
            };
            string first = _activations[number], second = _activations[(PerDirection * (Directions - 1)) + number];
            return first == second ? Of(first) : new SelectExpr(Ex.Call("eq", Ex.Of(D), Ex.Zero), Of(first), Of(second));
        }

        public Expr Gate(LoweredValue gates, int number, Expr j) => Ex.Load(gates, Ex.Of(D), Ex.Of(B), number == 0 ? j : Ex.Add(j, Ex.Extent(Hidden * number)));

        public Expr ProductAt(LoweredValue products, Expr gate) => Ex.Load(products, Moment, Ex.Of(D), Ex.Of(B), gate);

        public void Emit(params LoopNest[] nests) => _node.Scope.Operations.Add(new Operation
        {
            Kind = RegionKind.Nests, Operators = [_node.Node.OpType], Nests = [.. nests.Select(n => n with { Result = Ex.AsStored(Ex.Convert(n.Result, n.Target.Type.ScalarType()), n.Target.Type) })], SourceNodes = _node.Sources, Sequence = Time,
            Precision = _node.Scope.Options.Precision?.Invoke(_node.Sources),
        });

        /// <summary>The state after the last step, as outputs 1 and 2.</summary>
        public void Last(int output, Func<Expr, Expr, Expr, Expr> at)
        {
            if (!_node.Wants(output)) return;
            _node.Emit(RegionKind.Map, NodeLowering.Map(_node.Output(output), index => _batchFirst ? at(index[1], index[0], index[2]) : at(index[0], index[1], index[2])));
        }

        public Expr LastOutput(LoweredValue y, Expr d, Expr b, Expr j)
        {
            Expr end = Ex.Extent(Steps - DimExpr.One), moment = Direction switch { "forward" => end, "reverse" => Ex.Zero, _ => new SelectExpr(Ex.Call("eq", d, Ex.Zero), end, Ex.Zero) };
            return Ex.Load(y, _batchFirst ? [b, moment, d, j] : [moment, d, b, j]);
        }
    }

    private static string? Lstm(NodeLowering node)
    {
        Cell cell = new(node, 4, ["Sigmoid", "Tanh", "Tanh"]);
        if (cell.Problem() is { } problem) return problem;
        if (node.View.Int("input_forget", 0) != 0) return "its forget gate is tied to its input gate";
        LoweredValue? h0 = node.Optional(5), c0 = node.Optional(6), peephole = node.Optional(7);
        LoweredValue products = cell.Products(_ => true), gates = cell.State("gates", cell.Hidden * 4), c = cell.State("cell", cell.Hidden), y = cell.Y();
        Expr Peep(int number, Expr state, Expr j) => peephole is null ? Ex.Constant(0, cell.Scalar)
            : Ex.Call("mul", Ex.Convert(Ex.Load(peephole, Ex.Of(cell.D), number == 0 ? j : Ex.Add(j, Ex.Extent(cell.Hidden * number))), cell.Scalar), state);
        Expr With(Expr gate, int number, Expr state, Expr j) => peephole is null ? gate : Ex.Call("add", gate, Peep(number, state, j));
        Expr Initial(Expr j) => c0 is null ? Ex.Constant(0, cell.Scalar) : Ex.Convert(Ex.Load(c0, node.View.Int("layout", 0) != 0 ? [Ex.Of(cell.B), Ex.Of(cell.D), j] : [Ex.Of(cell.D), Ex.Of(cell.B), j]), cell.Scalar);
        cell.Emit(
            cell.Product(gates, k => cell.Before(y, h0, k), j => j, (sum, j) => Ex.Call("add", sum, cell.ProductAt(products, j))),
            cell.Step(c, j =>
            {
                Expr before = new SelectExpr(cell.IsFirst, Initial(j), Ex.Load(c, Ex.Of(cell.D), Ex.Of(cell.B), j));
                // Gates stand in the order input, output, forget, cell; peepholes in the order input, output, forget.
                Expr input = cell.Activate(0, With(cell.Gate(gates, 0, j), 0, before, j)), forget = cell.Activate(0, With(cell.Gate(gates, 2, j), 2, before, j)), candidate = cell.Activate(1, cell.Gate(gates, 3, j));
                return Ex.Call("add", Ex.Call("mul", forget, before), Ex.Call("mul", input, candidate));
            }),
            cell.Output(y, j =>
            {
                Expr state = Ex.Load(c, Ex.Of(cell.D), Ex.Of(cell.B), j);
                return Ex.Call("mul", cell.Activate(0, With(cell.Gate(gates, 1, j), 1, state, j)), cell.Activate(2, state));
            }));
        cell.Last(1, (d, b, j) => cell.LastOutput(y, d, b, j));
        cell.Last(2, (d, b, j) => Ex.Convert(Ex.Load(c, d, b, j), cell.X.Type.ScalarType()));
        return null;
    }

    private static string? Gru(NodeLowering node)
    {
        Cell cell = new(node, 3, ["Sigmoid", "Tanh"]);
        if (cell.Problem() is { } problem) return problem;
        bool linearFirst = node.View.Int("linear_before_reset", 0) != 0;
        LoweredValue? h0 = node.Optional(5), bias = node.Optional(3);
        // The hidden gate's recurrent bias stands inside the reset, where that is applied last.
        LoweredValue products = cell.Products(gate => gate < 2 || !linearFirst), gates = cell.State("gates", cell.Hidden * (linearFirst ? 3 : 2)), y = cell.Y();
        Expr Update(Expr j) => cell.Activate(0, cell.Gate(gates, 0, j));
        Expr Reset(Expr j) => cell.Activate(0, cell.Gate(gates, 1, j));
        Expr Hidden(Expr j) => cell.ProductAt(products, Ex.Add(j, Ex.Extent(cell.Hidden * 2)));
        Expr Joined(Expr j, Expr candidate)
        {
            Expr z = Update(j);
            return Ex.Call("add", Ex.Call("mul", Ex.Call("sub", Ex.Number(1, cell.Scalar), z), candidate), Ex.Call("mul", z, cell.Before(y, h0, j)));
        }
        if (linearFirst)
        {
            cell.Emit(
                cell.Product(gates, k => cell.Before(y, h0, k), j => j, (sum, j) =>
                {
                    // The hidden gate's part waits for the reset.
                    Expr isHidden = Ex.GreaterOrEqual(j, Ex.Extent(cell.Hidden * 2));
                    Expr recurrent = bias is null ? sum : Ex.Call("add", sum, Ex.Convert(Ex.Load(bias, Ex.Of(cell.D), Ex.Add(j, Ex.Extent(cell.Hidden * 3))), cell.Scalar));
                    return new SelectExpr(isHidden, recurrent, Ex.Call("add", sum, cell.ProductAt(products, j)));
                }),
                cell.Output(y, j => Joined(j, cell.Activate(1, Ex.Call("add", Hidden(j), Ex.Call("mul", Reset(j), cell.Gate(gates, 2, j)))))));
        }
        else
        {
            LoweredValue kept = cell.State("reset", cell.Hidden), candidate = cell.State("candidate", cell.Hidden);
            cell.Emit(
                cell.Product(gates, k => cell.Before(y, h0, k), j => j, (sum, j) => Ex.Call("add", sum, cell.ProductAt(products, j))),
                cell.Step(kept, j => Ex.Call("mul", Reset(j), cell.Before(y, h0, j))),
                cell.Product(candidate, k => Ex.Load(kept, Ex.Of(cell.D), Ex.Of(cell.B), k), j => Ex.Add(j, Ex.Extent(cell.Hidden * 2)), (sum, j) => Ex.Call("add", sum, Hidden(j))),
                cell.Output(y, j => Joined(j, cell.Activate(1, Ex.Load(candidate, Ex.Of(cell.D), Ex.Of(cell.B), j)))));
        }
        cell.Last(1, (d, b, j) => cell.LastOutput(y, d, b, j));
        return null;
    }

    private static string? Rnn(NodeLowering node)
    {
        Cell cell = new(node, 1, ["Tanh"]);
        if (cell.Problem() is { } problem) return problem;
        LoweredValue? h0 = node.Optional(5);
        LoweredValue products = cell.Products(_ => true), gates = cell.State("gates", cell.Hidden), y = cell.Y();
        cell.Emit(
            cell.Product(gates, k => cell.Before(y, h0, k), j => j, (sum, j) => Ex.Call("add", sum, cell.ProductAt(products, j))),
            cell.Output(y, j => cell.Activate(0, Ex.Load(gates, Ex.Of(cell.D), Ex.Of(cell.B), j))));
        cell.Last(1, (d, b, j) => cell.LastOutput(y, d, b, j));
        return null;
    }
}
