using System.Globalization;
using System.Net;
using System.Text;
using TrtTools.Files;

namespace TrtTools.Comparison;

/// <summary>Pictures of where an output differs, and by how much.</summary>
internal static class ErrorPlot
{
    private const int MostCells = 128, Cell = 6, Left = 70, Top = 46;

    /// <summary>Writes two pictures into a folder: errors by place in the first sample, and errors against the reference's magnitude over all samples.</summary>
    public static void Write(string folder, OutputStatistics found, string title, bool force)
    {
        string name = new([.. found.Name.Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' ? c : '_')]);
        Save($"{name}-heatmap.svg", HeatMap(found.FirstErrors, found.FirstShape, title));
        Save($"{name}-errors.svg", Scatter(found.Pairs, title));

        void Save(string file, string svg) => AtomicFile.Write(Path.Combine(folder, file), force, stream => stream.Write(Encoding.UTF8.GetBytes(svg)));
    }

    /// <summary>Rows are all axes but the last, columns the last; a cell shows the greatest error of the elements it stands for.</summary>
    internal static string HeatMap(double[] errors, long[] shape, string title)
    {
        long columns = shape.Length == 0 ? 1 : shape[^1], rows = columns == 0 ? 0 : errors.Length / columns;
        int width = (int)Math.Min(MostCells, columns), height = (int)Math.Min(MostCells, rows);
        double[] cells = new double[width * height];
        for (long i = 0; i < errors.Length; i++)
        {
            int at = (int)(i / columns * height / rows) * width + (int)(i % columns * width / columns);
            if (errors[i] > cells[at] || double.IsNaN(errors[i])) cells[at] = double.IsNaN(errors[i]) ? double.PositiveInfinity : errors[i];
        }
        double most = cells.Where(double.IsFinite).DefaultIfEmpty(0).Max();
        StringBuilder svg = Begin(Left + width * Cell + 30, Top + height * Cell + 40, $"{title}: greatest absolute error {Number(most)}");
        for (int y = 0; y < height; y++)
        {
            for (int x = 0; x < width; x++)
            {
                double value = cells[y * width + x];
                svg.Append(CultureInfo.InvariantCulture, $"<rect x=\"{Left + x * Cell}\" y=\"{Top + y * Cell}\" width=\"{Cell}\" height=\"{Cell}\" fill=\"{(double.IsFinite(value) ? Color(most > 0 ? value / most : 0) : "#c000c0")}\"/>");
            }
        }
        Text(svg, Left, Top + height * Cell + 16, string.Create(CultureInfo.InvariantCulture, $"last axis: 0 … {columns - 1}"), "start");
        Text(svg, Left - 6, Top + 10, "0", "end");
        Text(svg, Left - 6, Top + height * Cell, (rows - 1).ToString(CultureInfo.InvariantCulture), "end");
        Text(svg, Left, Top + height * Cell + 32, "violet: NaN or infinite on one side", "start");
        return svg.Append("</svg>\n").ToString();
    }

    /// <summary>How many elements have which error at which magnitude, both on logarithmic axes.</summary>
    internal static string Scatter(IReadOnlyList<(float Error, float Magnitude)> pairs, string title)
    {
        const int Columns = 80, Rows = 50;
        (double lowX, double highX) = Range(pairs.Select(p => (double)p.Magnitude));
        (double lowY, double highY) = Range(pairs.Select(p => (double)p.Error));
        int[] counts = new int[Columns * Rows];
        int exact = 0;
        foreach ((float error, float magnitude) in pairs)
        {
            if (error == 0) { exact++; continue; }
            int x = Place(magnitude, lowX, highX, Columns), y = Place(error, lowY, highY, Rows);
            counts[(Rows - 1 - y) * Columns + x]++;
        }
        double most = Math.Log(1 + counts.Max());
        StringBuilder svg = Begin(Left + Columns * Cell + 30, Top + Rows * Cell + 44, string.Create(CultureInfo.InvariantCulture, $"{title}: {pairs.Count - exact} elements differ, {exact} are equal"));
        svg.Append(CultureInfo.InvariantCulture, $"<rect x=\"{Left}\" y=\"{Top}\" width=\"{Columns * Cell}\" height=\"{Rows * Cell}\" fill=\"#f4f4f4\"/>");
        for (int i = 0; i < counts.Length; i++)
        {
            if (counts[i] > 0) svg.Append(CultureInfo.InvariantCulture, $"<rect x=\"{Left + i % Columns * Cell}\" y=\"{Top + i / Columns * Cell}\" width=\"{Cell}\" height=\"{Cell}\" fill=\"{Color(Math.Log(1 + counts[i]) / most)}\"/>");
        }
        Text(svg, Left, Top + Rows * Cell + 16, Number(Math.Pow(10, lowX)), "start");
        Text(svg, Left + Columns * Cell, Top + Rows * Cell + 16, Number(Math.Pow(10, highX)), "end");
        Text(svg, Left + Columns * Cell / 2, Top + Rows * Cell + 32, "magnitude of the reference", "middle");
        Text(svg, Left - 6, Top + 10, Number(Math.Pow(10, highY)), "end");
        Text(svg, Left - 6, Top + Rows * Cell, Number(Math.Pow(10, lowY)), "end");
        Text(svg, Left - 6, Top + Rows * Cell / 2, "error", "end");
        return svg.Append("</svg>\n").ToString();
    }

    private static (double Low, double High) Range(IEnumerable<double> values)
    {
        double low = double.PositiveInfinity, high = double.NegativeInfinity;
        foreach (double value in values.Where(v => v > 0)) (low, high) = (Math.Min(low, Math.Log10(value)), Math.Max(high, Math.Log10(value)));
        return low > high ? (-1, 1) : low == high ? (low - 0.5, high + 0.5) : (low, high);
    }

    private static int Place(double value, double low, double high, int count) => value <= 0 ? 0 : Math.Clamp((int)((Math.Log10(value) - low) / (high - low) * count), 0, count - 1);

    private static StringBuilder Begin(int width, int height, string title)
    {
        StringBuilder svg = new();
        svg.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{Math.Max(width, 420)}\" height=\"{height}\" font-family=\"Helvetica, Arial, sans-serif\" font-size=\"11\"><rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>");
        Text(svg, 12, 24, title, "start");
        return svg;
    }

    private static void Text(StringBuilder svg, int x, int y, string text, string anchor) => svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" fill=\"#333333\">{WebUtility.HtmlEncode(text)}</text>");

    private static string Number(double value) => value.ToString("G3", CultureInfo.InvariantCulture);

    private static string Color(double share)
    {
        double at = Math.Clamp(share, 0, 1);
        return string.Create(CultureInfo.InvariantCulture, $"hsl({50 - 50 * at:0},{70 + 20 * at:0}%,{92 - 54 * at:0}%)");
    }
}
