using System.Globalization;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Tests.Kernels;

/// <summary>Nests of every kind with chance in their types, layouts, extents and expressions.</summary>
internal static class RandomNests
{
    private static readonly DataType[] s_floats = [DataType.Float32, DataType.Float16, DataType.BFloat16, DataType.Float64];
    private static readonly DataType[] s_integers = [DataType.Int8, DataType.UInt8, DataType.Int16, DataType.UInt16, DataType.Int32, DataType.UInt32, DataType.Int64, DataType.UInt64];

    /// <summary>A nest's axes while it is made.</summary>
    private sealed class Maker(KernelCase made, CaseRandom random, Axis[] space, Axis[] reduced)
    {
        private int _inputs;

        public Axis[] All => [.. space, .. reduced];

        public long Value(DimExpr extent) => extent.Evaluate(made.Symbols)!.Value;

        /// <summary>A load from a new input that depends on the axes: permuted, cut out of something larger, turned around, broadcast, gathered or guarded.</summary>
        public Expr Load(DataType type, Axis[] axes)
        {
            DimExpr[] shape = [.. axes.Select(a => a.Extent)];
            int[] order = random.Permutation(axes.Length);
            bool[] broadcast = [.. axes.Select(_ => random.Chance(0.15))];
            int[] before = [.. axes.Select(_ => random.Chance(0.15) ? random.Pick(1, 3, 8) : 0)], after = [.. axes.Select(_ => random.Chance(0.1) ? random.Pick(1, 5, 8) : 0)];
            bool[] reversed = [.. axes.Select(_ => random.Chance(0.05))];
            int guarded = axes.Length > 0 && random.Chance(0.2) ? random.Below(axes.Length) : -1, gathered = axes.Length > 0 && random.Chance(0.1) ? random.Below(axes.Length) : -1;
            if (guarded >= 0) (broadcast[guarded], reversed[guarded], before[guarded], after[guarded]) = (false, false, 0, 0);
            if (gathered == guarded) gathered = -1;
            if (gathered >= 0) reversed[gathered] = false;

            DimExpr[] room = [.. shape.Select((e, i) => broadcast[i] ? DimExpr.One : e + before[i] + after[i])];
            DimExpr[] strides = new DimExpr[axes.Length];
            DimExpr count = DimExpr.One;
            foreach (int i in order.Reverse())
            {
                strides[i] = count;
                count *= room[i];
            }
            DimExpr offset = DimExpr.Zero;
            for (int i = 0; i < axes.Length; i++)
            {
                if (broadcast[i]) strides[i] = DimExpr.Zero;
                offset += strides[i] * before[i];
                if (reversed[i] && !broadcast[i])
                {
                    offset += strides[i] * (shape[i] - DimExpr.One);
                    strides[i] = DimExpr.Zero - strides[i];
                }
            }
            Storage storage = made.Input($"x{_inputs++}", random.Tensor(type, Value(count)), count);
            TensorView view = new(storage, shape, strides, offset);
            Expr[] index = Ex.Of(axes);
            if (gathered >= 0)
            {
                long extent = Value(shape[gathered]);
                long[] places = [.. Enumerable.Range(0, (int)extent).Select(_ => (long)random.Below((int)extent))];
                Storage indices = made.Input($"i{_inputs++}", random.Chance(0.5) ? TensorData.From<long>(places, extent) : TensorData.From<int>([.. places.Select(p => (int)p)], extent), shape[gathered]);
                index[gathered] = new LoadExpr(TensorView.Dense(indices, [shape[gathered]]), [Ex.Of(axes[gathered])]);
            }
            if (guarded < 0) return new LoadExpr(view, index);
            // Padding: what lies outside is a constant.
            int shift = random.Pick(1, 2, 4);
            Expr moved = Ex.Sub(Ex.Of(axes[guarded]), Ex.Int(shift));
            index[guarded] = moved;
            Expr inside = random.Chance(0.5) ? Ex.GreaterOrEqual(moved, Ex.Zero) : Ex.And(Ex.GreaterOrEqual(moved, Ex.Zero), Ex.Less(moved, Ex.Extent(axes[guarded].Extent - DimExpr.One)));
            LoadExpr load = new(view, index);
            return Ex.Select(inside, load, Ex.Constant(random.Pick(0, 1), load.Type));
        }

        /// <summary>A smooth expression over leaves of one scalar type.</summary>
        public Expr Combine(IReadOnlyList<Expr> leaves, int steps)
        {
            List<Expr> values = [.. leaves];
            for (int i = 0; i < steps; i++)
            {
                Expr a = values[random.Below(values.Count)], b = values[random.Below(values.Count)], leaf = leaves[random.Below(leaves.Count)];
                values.Add(a.Type == ScalarType.Bool ? random.Below(4) switch { 0 => Ex.And(a, b), 1 => Ex.Or(a, b), 2 => Ex.Call("xor", a, b), _ => Ex.Not(a) }
                    : a.Type == ScalarType.Int64 ? Integer(a, b) : Float(a, b, leaf));
            }
            return leaves.Concat(values.Skip(leaves.Count).TakeLast(1)).Aggregate((a, b) => ReferenceEquals(a, b) ? a : a.Type == ScalarType.Bool ? Ex.Call("xor", a, b) : Ex.Call("add", a, b));
        }

        // Only a leaf decides: rounding must not.
        private Expr Float(Expr a, Expr b, Expr leaf) => random.Below(9) switch
        {
            0 => Ex.Call("mul", a, b), 1 => Ex.Call("max", a, b), 2 => Ex.Call("min", a, b), 3 => Ex.Call("tanh", a), 4 => Ex.Call("abs", a), 5 => Ex.Call("sub", a, b),
            6 => Ex.Call("mul", Ex.Constant(random.Real(-1, 1), a.Type), a), 7 => new SelectExpr(Ex.Call("lt", leaf, Ex.Constant(0.3, a.Type)), b, a), _ => Ex.Call("add", a, Ex.Constant(0.5, a.Type)),
        };

        private Expr Integer(Expr a, Expr b) => random.Below(9) switch
        {
            0 => Ex.Call("mul", a, b), 1 => Ex.Max(a, b), 2 => Ex.Min(a, b), 3 => Ex.Call("neg", a), 4 => Ex.Call("abs", a), 5 => Ex.Call("sub", a, b), 6 => Ex.Call("div", a, b), 7 => Ex.Call("mod", a, b),
            _ => new SelectExpr(Ex.Call("lt", a, Ex.Int(3)), b, a),
        };

        public TensorView Target(DataType type, Axis[] axes)
        {
            bool cut = random.Chance(0.2), turned = random.Chance(0.3);
            int[] order = turned ? random.Permutation(axes.Length) : [.. Enumerable.Range(0, axes.Length)];
            DimExpr[] strides = new DimExpr[axes.Length];
            DimExpr count = DimExpr.One, offset = DimExpr.Zero;
            foreach (int i in order.Reverse())
            {
                strides[i] = count;
                int extra = cut && random.Chance(0.5) ? random.Pick(1, 8, 16) : 0, shift = extra > 0 ? random.Pick(0, extra) : 0;
                offset += count * shift;
                count *= axes[i].Extent + extra;
            }
            Storage storage = new("y", StorageKind.Output, type, count) { Binding = 0 };
            return new TensorView(storage, [.. axes.Select(a => a.Extent)], strides, offset);
        }
    }

    private static Axis[] Axes(KernelCase made, CaseRandom random, string prefix, int rank, long limit, params int[] extents)
    {
        Axis[] axes = new Axis[rank];
        long room = limit;
        for (int i = 0; i < rank; i++)
        {
            int extent = random.Pick<int>(extents);
            while (extent > 1 && extent > room) extent /= 2;
            room /= Math.Max(1, extent);
            if (random.Chance(0.15))
            {
                string symbol = prefix + i.ToString(CultureInfo.InvariantCulture);
                int scale = random.Chance(0.3) && extent % 8 == 0 ? 8 : 1;
                made.Symbols.Add(symbol, extent / scale);
                axes[i] = new Axis(prefix + i, DimExpr.Symbol(symbol) * scale);
            }
            else
            {
                axes[i] = new Axis(prefix + i, extent);
            }
        }
        return axes;
    }

    private static double ToleranceOf(DataType type) => type switch { DataType.Float16 => 2e-3, DataType.BFloat16 => 1.6e-2, DataType.Float64 => 1e-12, DataType.Float32 => 1e-5, _ => 0 };

    private static Expr Stored(Expr value, DataType type)
    {
        ScalarType scalar = type.ScalarType();
        if (scalar == value.Type || (scalar.IsFloat() && value.Type.IsFloat())) return value;
        // Integers of floats are taken of what rounding does not move: see Map.
        return scalar == ScalarType.Int64 && value.Type == ScalarType.Bool ? value : new ConvertExpr(type, value);
    }

    public static KernelCase Map(int number)
    {
        CaseRandom random = new((ulong)number + 1000);
        KernelCase made = new($"map{number}");
        int rank = random.Below(5);
        Axis[] axes = Axes(made, random, "s", rank, random.Chance(0.1) ? 400000 : 20000, 1, 2, 3, 4, 5, 7, 8, 16, 17, 24, 32, 33, 64, 96, 130);
        Maker maker = new(made, random, axes, []);
        DataType own = random.Chance(0.55) ? random.Pick<DataType>(s_floats[..3]) : random.Chance(0.3) ? DataType.Float64 : random.Chance(0.2) ? DataType.Bool : random.Chance(0.15) ? random.Pick(DataType.Int4, DataType.UInt4) : random.Pick<DataType>(s_integers);
        int loads = 1 + random.Below(3);
        List<Expr> leaves = [];
        ScalarType scalar = own.ScalarType();
        for (int i = 0; i < loads; i++)
        {
            DataType type = i == 0 ? own : scalar == ScalarType.Float32 ? random.Pick<DataType>(s_floats[..3]) : scalar == ScalarType.Int64 ? random.Pick<DataType>([.. s_integers, DataType.Int4]) : own;
            leaves.Add(maker.Load(type, axes));
        }
        if (rank > 0 && random.Chance(0.2) && scalar != ScalarType.Bool) leaves.Add(Ex.Convert(Ex.Of(axes[random.Below(rank)]), scalar));
        Expr value = maker.Combine(leaves, random.Below(5));
        DataType output = random.Chance(0.6) ? own : scalar.IsFloat() ? random.Pick<DataType>(s_floats) : scalar == ScalarType.Bool ? random.Pick(DataType.Bool, DataType.Float32, DataType.Int32) : random.Pick<DataType>([.. s_integers, DataType.Float32, DataType.Bool]);
        TensorView target = maker.Target(output, axes);
        made.Nests.Add(new LoopNest { Name = made.Name, Space = axes, Result = Stored(value, output), Target = target });
        made.Output = target;
        made.Tolerance = scalar.IsFloat() ? Math.Max(ToleranceOf(output), own == DataType.Float64 && output == DataType.Float64 ? 1e-12 : 1e-5) : ToleranceOf(output);
        return made;
    }

    public static KernelCase Reduce(int number)
    {
        CaseRandom random = new((ulong)number + 5000);
        KernelCase made = new($"reduce{number}");
        Axis[] space = Axes(made, random, "s", random.Below(4), 3000, 1, 2, 3, 5, 8, 16, 17, 32, 64, 100), reduced = Axes(made, random, "r", 1 + random.Below(2), random.Chance(0.1) ? 60000 : 800, 1, 2, 3, 7, 9, 16, 32, 49, 64, 100, 256, 768, 1000);
        Combiner combine = random.Chance(0.35) ? Combiner.Sum : random.Pick(Enum.GetValues<Combiner>());
        if (combine >= Combiner.FirstMaximum) reduced = reduced[..1];
        bool logical = combine is Combiner.And or Combiner.Or;
        DataType own = logical ? DataType.Bool : combine == Combiner.Product ? DataType.Float32 : random.Chance(0.7) ? random.Pick<DataType>(s_floats) : random.Pick<DataType>(s_integers);
        Maker maker = new(made, random, space, reduced);
        List<Expr> leaves = [];
        // A place is where a value is greatest, which rounding must not move.
        int loads = combine >= Combiner.FirstMaximum ? 1 : 1 + random.Below(2);
        for (int i = 0; i < loads; i++) leaves.Add(maker.Load(own, i == 0 ? Mix(random, maker.All) : [.. maker.All.Where(_ => random.Chance(0.7))]));
        Expr body = maker.Combine(leaves, combine >= Combiner.FirstMaximum ? 0 : random.Below(3));
        if (combine == Combiner.Product) body = Ex.Call("add", Ex.Call("mul", Ex.Number(0.001), Ex.Call("tanh", body)), Ex.Number(1));
        Expr result = new ReducedExpr(combine >= Combiner.FirstMaximum ? ScalarType.Int64 : body.Type);
        if (result.Type.IsFloat() && random.Chance(0.5)) result = Ex.Call("add", Ex.Call("mul", result, Ex.Constant(0.25, result.Type)), Ex.Convert(maker.Load(random.Pick<DataType>(s_floats[..3]), space), result.Type));
        DataType output = combine >= Combiner.FirstMaximum ? random.Pick(DataType.Int64, DataType.Int32) : logical ? DataType.Bool : own.IsFloatingPoint() ? random.Pick<DataType>(s_floats) : random.Pick(own, DataType.Int64, DataType.Int32);
        TensorView target = maker.Target(output, space);
        made.Nests.Add(new LoopNest { Name = made.Name, Space = space, Reduced = reduced, Combine = combine, Body = body, Result = Stored(result, output), Target = target });
        made.Output = target;
        // Sums cancel: what counts is the size of what is summed, which grows as its root.
        made.Tolerance = own.IsFloatingPoint() && output.IsFloatingPoint() ? Math.Max(ToleranceOf(output), own == DataType.Float64 && output == DataType.Float64 ? 1e-11 : 2e-5) : 0;
        return made;
    }

    public static KernelCase Contract(int number)
    {
        CaseRandom random = new((ulong)number + 9000);
        KernelCase made = new($"contract{number}");
        DataType own = random.Chance(0.75) ? random.Pick<DataType>(s_floats) : random.Pick(DataType.Int8, DataType.UInt8, DataType.Int32);
        if (random.Chance(0.5))
        {
            Axis[] batch = Axes(made, random, "b", random.Below(3), 6, 1, 2, 3), rows = Axes(made, random, "m", 1, 200, 8, 17, 64, 65, 130), columns = Axes(made, random, "n", 1, 200, 8, 33, 64, 70, 128), depth = Axes(made, random, "k", 1 + random.Below(2), 300, 8, 15, 16, 17, 64, 100);
            Axis[] space = [.. batch, .. rows, .. columns];
            Maker maker = new(made, random, space, depth);
            Expr a = maker.Load(own, [.. batch.Where(_ => random.Chance(0.7)), .. rows, .. depth]), b = maker.Load(own, [.. batch.Where(_ => random.Chance(0.7)), .. depth, .. columns]);
            Finish(made, random, maker, own, space, depth, Ex.Call("mul", a, b));
            return made;
        }
        int channels = random.Pick(3, 8, 16), filters = random.Pick(8, 24, 64), size = random.Pick(7, 12, 20), window = random.Pick(1, 3, 5), stride = random.Pick(1, 2), pad = window / 2, outputSize = ((size + (2 * pad) - window) / stride) + 1;
        Axis n = new("n", random.Pick(1, 2)), k = new("k", filters), p = new("p", outputSize), q = new("q", outputSize), c = new("c", channels), r = new("r", window), s = new("s", window);
        Axis[] outputs = [n, k, p, q], inside = [c, r, s];
        Maker shape = new(made, random, outputs, inside);
        bool last = random.Chance(0.5);
        Storage x = made.Input("x", random.Tensor(own, n.Extent.Value * channels * size * size)), w = made.Input("w", random.Tensor(own, (long)filters * channels * window * window));
        Expr row = Ex.Sub(Ex.Add(Ex.Mul(Ex.Of(p), Ex.Int(stride)), Ex.Of(r)), Ex.Int(pad)), column = Ex.Sub(Ex.Add(Ex.Mul(Ex.Of(q), Ex.Int(stride)), Ex.Of(s)), Ex.Int(pad));
        LoadExpr load = new(TensorView.Dense(x, [n.Extent, channels, size, size], last ? [0, 2, 3, 1] : null), [Ex.Of(n), Ex.Of(c), row, column]);
        Expr guard = Ex.And([Ex.GreaterOrEqual(row, Ex.Zero), Ex.Less(row, Ex.Int(size)), Ex.GreaterOrEqual(column, Ex.Zero), Ex.Less(column, Ex.Int(size))]);
        Expr weight = new LoadExpr(TensorView.Dense(w, [filters, channels, window, window], last ? [0, 2, 3, 1] : null), [Ex.Of(k), Ex.Of(c), Ex.Of(r), Ex.Of(s)]), zero = Ex.Constant(0, load.Type);
        Finish(made, random, shape, own, outputs, inside, random.Chance(0.5) ? Ex.Call("mul", Ex.Select(guard, load, zero), weight) : Ex.Select(guard, Ex.Call("mul", load, weight), zero));
        return made;
    }

    private static void Finish(KernelCase made, CaseRandom random, Maker maker, DataType own, Axis[] space, Axis[] reduced, Expr body)
    {
        Expr sum = new ReducedExpr(body.Type), result = sum;
        if (body.Type.IsFloat() && random.Chance(0.7)) result = Ex.Call("max", Ex.Call("add", sum, Ex.Convert(maker.Load(own, [space[random.Below(space.Length)]]), body.Type)), Ex.Constant(0, body.Type));
        DataType output = own.IsFloatingPoint() ? random.Pick<DataType>(own, DataType.Float32) : random.Pick(DataType.Int32, DataType.Float32, DataType.Int8);
        if (!own.IsFloatingPoint() && output == DataType.Int8) result = new ConvertExpr(DataType.Int8, Ex.Call("mul", Ex.Convert(sum, ScalarType.Float32), Ex.Number(0.015625)), saturates: true);
        TensorView target = maker.Target(output, space);
        made.Nests.Add(new LoopNest { Name = made.Name, Space = space, Reduced = reduced, Combine = Combiner.Sum, Body = body, Result = Stored(result, output), Target = target });
        made.Output = target;
        made.Tolerance = own.IsFloatingPoint() ? Math.Max(ToleranceOf(output), own == DataType.Float64 && output == DataType.Float64 ? 1e-11 : 2e-5) : 0;
    }

    public static KernelCase Scatter(int number)
    {
        CaseRandom random = new((ulong)number + 13000);
        KernelCase made = new($"scatter{number}");
        int rank = 1 + random.Below(3);
        Axis[] axes = Axes(made, random, "s", rank, 4000, 1, 3, 8, 16, 33, 64);
        DataType type = random.Pick<DataType>([.. s_floats, .. s_integers, DataType.Bool, DataType.Int4]);
        Combiner combine = type == DataType.Bool ? random.Pick(Combiner.And, Combiner.Or) : random.Pick(Combiner.Sum, Combiner.Sum, Combiner.Maximum, Combiner.Minimum, Combiner.Product);
        if (combine == Combiner.Product && !type.IsFloatingPoint()) combine = Combiner.Sum;
        Maker maker = new(made, random, axes, []);
        DimExpr[] shape = [.. axes.Select(_ => (DimExpr)random.Pick(4, 7, 16))];
        int moved = random.Below(rank + 1);
        Expr[] place = new Expr[rank];
        for (int i = 0; i < rank; i++)
        {
            if (i == moved || moved == rank)
            {
                Axis[] by = axes;
                long count = by.Aggregate(1L, (c, a) => c * maker.Value(a.Extent)), limit = shape[i].Value;
                DimExpr elements = by.Aggregate(DimExpr.One, (c, a) => c * a.Extent);
                Storage indices = made.Input($"places{i}", TensorData.From<long>([.. Enumerable.Range(0, (int)count).Select(_ => (long)random.Below((int)limit))], count), elements);
                place[i] = new LoadExpr(TensorView.Dense(indices, [.. by.Select(a => a.Extent)]), Ex.Of(by));
            }
            else
            {
                shape[i] = axes[i].Extent;
                place[i] = Ex.Of(axes[i]);
            }
        }
        DimExpr size = shape.Aggregate(DimExpr.One, (c, d) => c * d);
        Storage y = new("y", StorageKind.Output, type, size);
        TensorView target = TensorView.Dense(y, shape);
        Axis[] all = [.. shape.Select((d, i) => new Axis($"t{i}", d))];
        ScalarType scalar = type.ScalarType();
        made.Nests.Add(new LoopNest { Name = made.Name + ".fill", Space = all, Target = target, Result = Ex.Constant(combine == Combiner.Product ? 1 : 0, scalar) });
        Expr value = maker.Load(type, axes);
        if (combine == Combiner.Product) value = Ex.Call("add", Ex.Call("mul", value, Ex.Constant(0.01, scalar)), Ex.Constant(1, scalar));
        made.Nests.Add(new LoopNest { Name = made.Name, Space = axes, Target = target, Place = place, ScatterCombine = combine, Result = value });
        made.Output = target;
        made.Tolerance = ToleranceOf(type) * 4;
        return made;
    }

    /// <summary>Most axes, so that reductions have something to walk along.</summary>
    private static Axis[] Mix(CaseRandom random, Axis[] axes) => random.Chance(0.85) ? axes : [.. axes.Where(_ => random.Chance(0.8))];
}
