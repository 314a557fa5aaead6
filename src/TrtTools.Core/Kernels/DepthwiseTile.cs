using System.Globalization;
using TrtTools.Tensors;

namespace TrtTools.Kernels;

/// <summary>Choices of tma_depthwise.cuh: channels of a block, output pixels of a tile, of a thread at a time, threads.</summary>
internal sealed record DepthwiseTile(int Slab, int High, int Wide, int Rows, int Cols, int Threads)
{
    private const int MostShared = 110_000;

    /// <summary>Pixels of the image that a tile meets.</summary>
    public (int High, int Wide) Box(ConvolutionGeometry g) => (((High - 1) * g.StrideH) + ((g.FilterH - 1) * g.DilationH) + 1, ((Wide - 1) * g.StrideW) + ((g.FilterW - 1) * g.DilationW) + 1);

    public int SharedBytes(ConvolutionGeometry g)
    {
        (int high, int wide) = Box(g);
        return 128 + (2 * (((high * wide * Slab * 2) + 127) / 128 * 128));
    }

    /// <summary>Those that fit and waste little on an output of this size, most pixels a thread first.</summary>
    public static IEnumerable<DepthwiseTile> Candidates(ConvolutionGeometry g, long channels, long height, long width)
    {
        List<(double Waste, int Pixels, DepthwiseTile Tile)> found = [];
        foreach (int slab in channels % 64 == 0 || channels > 120 ? [64] : new[] { 64, new[] { 40, 32, 24, 16, 8 }.First(s => channels % s == 0) })
        {
            foreach ((int rows, int cols) in new[] { (2, 7), (4, 4), (2, 4), (1, 7), (4, 2), (7, 2), (2, 8) })
            {
                foreach ((int most, int across) in new[] { (7, 7), (14, 14), (8, 28), (4, 56), (8, 14), (4, 28), (16, 16) })
                {
                    int high = (int)((Math.Min(most, height) + rows - 1) / rows * rows), wide = (int)((Math.Min(across, width) + cols - 1) / cols * cols);
                    foreach (int threads in new[] { 128, 256 })
                    {
                        DepthwiseTile tile = new(slab, high, wide, rows, cols, threads);
                        double tiles = Math.Ceiling((double)height / high) * high * Math.Ceiling((double)width / wide) * wide, padded = (channels + slab - 1) / slab * slab;
                        double waste = tiles / (height * width) * (padded / channels), units = (double)(high / rows) * (wide / cols) * slab / (threads * 2);
                        if (waste > 1.34 || units < 1 || rows * cols * g.FilterH * g.FilterW > 500 || tile.SharedBytes(g) > MostShared || tile.Box(g).High > 256 || tile.Box(g).Wide > 256) continue;
                        // Uneven shares of a tile's units, and what a small tile reads twice.
                        double halo = (double)tile.Box(g).High * tile.Box(g).Wide / (high * g.StrideH * (double)(wide * g.StrideW));
                        found.Add((waste * (1 + (0.3 * ((Math.Ceiling(units) / units) - 1))) * (0.6 + (0.4 * halo)), rows * cols, tile));
                    }
                }
            }
        }
        return found.DistinctBy(f => f.Tile).OrderBy(f => f.Waste).ThenByDescending(f => f.Pixels).ThenBy(f => f.Tile.ToString(), StringComparer.Ordinal).Select(f => f.Tile);
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{High}x{Wide}-{Rows}x{Cols}-c{Slab}-{Threads}");
}

/// <summary>A window's constants.</summary>
internal readonly record struct ConvolutionGeometry(int FilterH, int FilterW, int StrideH, int StrideW, int DilationH, int DilationW);
