using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Kernels;

/// <summary>Weights stored as kernels want them: filters as [output channel, filter row, filter column, channel], matrices as [column, k], without gaps. Each weight is packed once.</summary>
internal sealed class KernelWeights
{
    private readonly Dictionary<(Storage Storage, string Layout), Storage> _packed = [];

    public static bool IsChannelsLast(TensorView w) =>
        (GeneratorOptions.Is(w.Strides[1], 1) || GeneratorOptions.Is(w.Shape[1], 1)) && Is(w, 3, 1) && Is(w, 2, 1, 3) && Is(w, 0, 1, 3, 2);

    private static bool Is(TensorView w, int axis, params ReadOnlySpan<int> inside)
    {
        if (GeneratorOptions.Is(w.Shape[axis], 1) && axis != 0) return true;
        DimExpr expected = DimExpr.One;
        foreach (int other in inside) expected *= w.Shape[other];
        return w.Strides[axis].Equals(expected);
    }

    /// <summary>The view itself where it is stored so already; null where its content is not known.</summary>
    public TensorView? ChannelsLast(TensorView w)
    {
        if (w.Rank != 4 || IsChannelsLast(w)) return w.Rank == 4 ? Plain(w) : null;
        if (w.Storage is not { Kind: StorageKind.Weight, Data: { } data } || !w.Shape.Concat(w.Strides).Append(w.Offset).All(d => d.IsConstant)) return null;
        string layout = w.ToString();
        if (!_packed.TryGetValue((w.Storage, layout), out Storage? packed))
        {
            long[] shape = [.. w.Shape.Select(d => d.Value)], strides = [.. w.Strides.Select(d => d.Value)];
            int size = ProductText.Size(w.Type);
            byte[] bytes = new byte[shape[0] * shape[1] * shape[2] * shape[3] * size];
            ReadOnlySpan<byte> from = data.Bytes;
            int to = 0;
            for (long k = 0; k < shape[0]; k++)
            {
                for (long r = 0; r < shape[2]; r++)
                {
                    for (long s = 0; s < shape[3]; s++)
                    {
                        for (long c = 0; c < shape[1]; c++, to += size)
                        {
                            long at = w.Offset.Value + (k * strides[0]) + (c * strides[1]) + (r * strides[2]) + (s * strides[3]);
                            from.Slice(checked((int)(at * size)), size).CopyTo(bytes.AsSpan(to));
                        }
                    }
                }
            }
            packed = new Storage(w.Storage.Name + " (channels last)", StorageKind.Weight, w.Type, bytes.Length / size) { Data = TensorData.FromBytes(w.Type, [bytes.Length / size], bytes), Tensors = w.Storage.Tensors };
            _packed.Add((w.Storage, layout), packed);
        }
        return TensorView.Dense(packed, w.Shape, [0, 2, 3, 1]);
    }

    /// <summary>Weights of a product as [column, k], for types that tensor cores read in no other order; null where their content is not known.</summary>
    public ProductOperand? ByColumn(ProductOperand w, DimExpr cols, DimExpr depth)
    {
        if (w.Storage is not { Kind: StorageKind.Weight, Data: { } data } || !new[] { w.Offset, w.Row, w.Inner, cols, depth }.All(e => e.IsConstant) || !ProductText.IsZero(w.Batch0) || !ProductText.IsZero(w.Batch1)) return null;
        string layout = $"{w.Offset} {w.Row} {w.Inner} {cols} {depth}";
        if (!_packed.TryGetValue((w.Storage, layout), out Storage? packed))
        {
            int size = ProductText.Size(w.Type);
            byte[] bytes = new byte[cols.Value * depth.Value * size];
            ReadOnlySpan<byte> from = data.Bytes;
            int to = 0;
            for (long c = 0; c < cols.Value; c++)
            {
                for (long k = 0; k < depth.Value; k++, to += size) from.Slice(checked((int)((w.Offset.Value + (c * w.Row.Value) + (k * w.Inner.Value)) * size)), size).CopyTo(bytes.AsSpan(to));
            }
            packed = new Storage(w.Storage.Name + " (by column)", StorageKind.Weight, w.Type, bytes.Length / size) { Data = TensorData.FromBytes(w.Type, [bytes.Length / size], bytes), Tensors = w.Storage.Tensors };
            _packed.Add((w.Storage, layout), packed);
        }
        return w with { Storage = packed, Offset = DimExpr.Zero, Row = depth, Inner = DimExpr.One };
    }

    /// <summary>
    /// Integer weights [column, k] with the columns of each 16 in the order in which the threads of a warp have the instruction's columns, so that each thread has four neighbours: places 8·h + 2·q + e
    /// hold column 4·q + 2·h + e. Null where their content is not known.
    /// </summary>
    public ProductOperand? Interleaved(ProductOperand w, DimExpr cols, DimExpr depth)
    {
        if (w.Storage is not { Kind: StorageKind.Weight, Data: { } data, Type: DataType.Int8 } || !new[] { w.Offset, w.Row, cols, depth }.All(e => e.IsConstant) || !ProductText.IsDense(w.Inner) || !ProductText.IsZero(w.Batch0) || !ProductText.IsZero(w.Batch1) || cols.Value % 16 != 0) return null;
        string layout = $"interleaved {w.Offset} {w.Row} {cols} {depth}";
        if (!_packed.TryGetValue((w.Storage, layout), out Storage? packed))
        {
            byte[] bytes = new byte[cols.Value * depth.Value];
            for (long place = 0; place < cols.Value; place++)
            {
                long column = (place & ~15L) + (4 * ((place >> 1) & 3)) + (2 * ((place >> 3) & 1)) + (place & 1);
                data.Bytes.Slice(checked((int)(w.Offset.Value + (column * w.Row.Value))), (int)depth.Value).CopyTo(bytes.AsSpan(checked((int)(place * depth.Value))));
            }
            packed = new Storage(w.Storage.Name + " (interleaved)", StorageKind.Weight, DataType.Int8, bytes.Length) { Data = TensorData.FromBytes(DataType.Int8, [bytes.Length], bytes), Tensors = w.Storage.Tensors };
            _packed.Add((w.Storage, layout), packed);
        }
        return w with { Storage = packed, Offset = DimExpr.Zero, Row = depth };
    }

    /// <summary>The same product, of integers to integers, as <see cref="Requantization"/> describes its epilogue; null where it is no such product.</summary>
    public ProductView? Requantized(Region region, ProductView view)
    {
        if (view.X.Type != DataType.Int8 || view.Y.Type != DataType.Int8 || region.Nests.Count != 1 || !ProductText.IsAligned(view.Y, 16)) return null;
        LinearAccess target = LinearAccess.Of(region.Nests[0].Target, Ex.Of(region.Nests[0].Space));
        if (region.Nests[0].Space.FirstOrDefault(a => GeneratorOptions.Is(target.Factor(a), 1) && a.Extent.Equals(view.Cols)) is not { } column || Requantization.Of(region.Nests[0], column) is not { } form) return null;
        if (Interleaved(view.W, view.Cols, view.Depth) is not { } weights) return null;
        if (!_packed.TryGetValue((view.W.Storage, region.Name), out Storage? scales)) _packed.Add((view.W.Storage, region.Name), scales = form.Pack(view.W.Storage.Name + " (scales)"));
        List<ProductOperand> operands = [new ProductOperand(scales, DimExpr.Zero, DimExpr.Zero, DimExpr.One, DimExpr.Zero, DimExpr.Zero)];
        if (form.Residual is { } residual)
        {
            int at = view.Epilogue.Loads.ToList().FindIndex(l => ExprEquality.Equal(l, residual));
            if (at < 0 || ProductText.OperandKind(view.Operands[at], view) != "Full" || !ProductText.IsAligned(view.Operands[at], 16)) return null;
            operands.Insert(0, view.Operands[at]);
        }
        bool isNarrow = Requantization.IsNarrow(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, sbyte>(weights.Storage.Data!.Bytes), (int)view.Cols.Value);
        return view with { W = weights, Operands = operands, Epilogue = EpilogueText.None, Requantized = form, NarrowSums = isNarrow };
    }

    /// <summary>The strides that axes of one element would have had.</summary>
    private static TensorView Plain(TensorView w) => w with { Strides = TensorView.Dense(w.Storage, w.Shape, [0, 2, 3, 1]).Strides };
}
