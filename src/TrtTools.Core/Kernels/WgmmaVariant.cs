using System.Globalization;
using System.Text;

namespace TrtTools.Kernels;

/// <summary>Choices of wgmma_gemm.cuh that do not change what is computed; the file says what each means.</summary>
internal sealed record WgmmaVariant
{
    public const int MaxSharedBytes = 232448;

    public bool Swap { get; init; }

    /// <summary>The tile on the 64-row side and on the other side.</summary>
    public required int P { get; init; }

    public required int Q { get; init; }

    public int Groups { get; init; } = 2;

    public bool PingPong { get; init; }

    public int Span { get; init; } = 128;

    public int Sub { get; init; } = 1;

    public required int Stages { get; init; }

    public int Split { get; init; } = 1;

    public int Multicast { get; init; }

    public int Registers { get; init; }

    public int Panels { get; init; }

    /// <summary>False: one tile for each block, whatever their number.</summary>
    public bool Persistent { get; init; } = true;

    /// <summary>Blocks on a multiprocessor: one stores while another multiplies.</summary>
    public int Resident { get; init; } = 1;

    public bool Programmatic { get; init; }

    /// <summary>A kilobyte of each block's share is the system's.</summary>
    public int SharedLimit => Math.Min(MaxSharedBytes, (228 * 1024 / Resident) - 1024);

    public int TileRows => Swap ? Q : P;

    public int TileCols => Swap ? P : Q;

    public int Threads => (Groups * 128) + (Registers > 0 ? 128 : 32);

    public int Blocks => P / 64 / (PingPong ? 1 : Groups);

    public int Cluster => Multicast > 0 ? 2 : Split;

    /// <summary>Bytes of a row of the result's tile that one warpgroup stores, and of a row of its panels.</summary>
    public int RowBytes(int outSize) => (Swap ? 64 : Q) * outSize;

    public int PanelSpan(int outSize) => RowBytes(outSize) % 128 == 0 ? 128 : RowBytes(outSize) % 64 == 0 ? 64 : 32;

    public int StageBytes(int size, bool weightsOutside) => Sub * ((TileRows * Span) + (weightsOutside ? (TileCols + 63) / 64 * (Span / size) * 128 : TileCols * Span));

    public int SharedBytes(int size, int outSize, bool weightsOutside, bool stored)
    {
        int span = PanelSpan(outSize), panel = (((Swap ? Q : 64) * span) + 1023) / 1024 * 1024;
        int result = stored && Split == 1 ? Groups * (Panels > 0 ? Panels : Blocks * (RowBytes(outSize) / span)) * panel : 0;
        int ring = Stages * StageBytes(size, weightsOutside);
        if (Split > 1) ring += Split * ((TileRows + Split - 1) / Split) * (Swap ? P + 4 : ((Q + 31) / 32 * 32) + 8) * 4;
        return 1024 + ring + result + (((2 * Stages) + Groups) * 8);
    }

    /// <summary>Part of a tactic's name: it says all that distinguishes variants of one product.</summary>
    public override string ToString()
    {
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"{P}x{Q}{(Swap ? "-swap" : "")}-{Groups}{(PingPong ? "p" : "")}-s{Stages}");
        if (Span != 128 || Sub != 1) text.Append(CultureInfo.InvariantCulture, $"-k{Span}x{Sub}");
        if (Split > 1) text.Append(CultureInfo.InvariantCulture, $"-split{Split}");
        if (Multicast > 0) text.Append(CultureInfo.InvariantCulture, $"-multi{Multicast}");
        if (Registers > 0) text.Append("-regs");
        if (Panels > 0) text.Append(CultureInfo.InvariantCulture, $"-e{Panels}");
        if (!Persistent) text.Append("-once");
        if (Resident > 1) text.Append(CultureInfo.InvariantCulture, $"-x{Resident}");
        return text.ToString();
    }
}
