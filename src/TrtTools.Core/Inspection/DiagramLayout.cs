using GraphShape;
using GraphShape.Algorithms.Layout;
using QuikGraph;

namespace TrtTools.Inspection;

/// <summary>Gives boxes and lines their places: GraphShape's layered layout, part by part, since its time grows with the square of the layers. Parts are cut
/// where few tensors cross, and stacked.</summary>
internal static class DiagramLayout
{
    private const int LeastPart = 60, GoodPart = 110, MostPart = 180;
    private const double LayerGap = 34, BoxGap = 22, Character = 7.1, SmallCharacter = 6.0;

    public static void Apply(Diagram diagram, CancellationToken stop)
    {
        foreach (DiagramBox box in diagram.Boxes) Measure(box);
        int[] order = Order(diagram, out int[] rank);
        List<int[]> parts = Cut(diagram, order, rank);
        int[] partOf = new int[diagram.Boxes.Count];
        for (int p = 0; p < parts.Count; p++)
        {
            foreach (int box in parts[p]) partOf[box] = p;
        }
        List<DiagramLine>[] inner = [.. parts.Select(_ => new List<DiagramLine>())], crossing = [.. parts.Select(_ => new List<DiagramLine>())];
        foreach (DiagramLine line in diagram.Lines)
        {
            if (partOf[line.From] == partOf[line.To]) inner[partOf[line.From]].Add(line);
            else crossing[partOf[line.To]].Add(line);
        }
        double top = 0;
        for (int p = 0; p < parts.Count; p++)
        {
            stop.ThrowIfCancellationRequested();
            Place(diagram, parts[p], inner[p]);
            int above = p - 1;
            List<DiagramLine> coming = crossing[p].FindAll(l => partOf[l.From] == above);
            Stack(diagram, parts[p], inner[p], coming.Count > 0 ? coming : crossing[p], ref top);
        }
        foreach (DiagramLine line in crossing.SelectMany(c => c)) Join(diagram, line, partOf);
        diagram.Left = diagram.Boxes.Select(b => b.X - b.Width / 2).DefaultIfEmpty(0).Min();
        diagram.Right = diagram.Boxes.Select(b => b.X + b.Width / 2).DefaultIfEmpty(0).Max();
        diagram.Top = diagram.Boxes.Select(b => b.Y - b.Height / 2).DefaultIfEmpty(0).Min();
        diagram.Bottom = diagram.Boxes.Select(b => b.Y + b.Height / 2).DefaultIfEmpty(0).Max();
        foreach ((double x, double _) in diagram.Lines.SelectMany(l => l.Points))
        {
            diagram.Left = Math.Min(diagram.Left, x);
            diagram.Right = Math.Max(diagram.Right, x);
        }
    }

    private static void Measure(DiagramBox box)
    {
        double widest = box.Title.Length * Character + 28;
        foreach (string line in box.Lines) widest = Math.Max(widest, line.Length * SmallCharacter + 20);
        box.Width = Math.Round(Math.Clamp(widest, 64, 340));
        box.Height = 26 + 15 * box.Lines.Count;
    }

    /// <summary>Boxes by layer: each just above its first reader, so that what computes a shape or a mask stands where that is read; what nobody reads
    /// stands at the end of the longest way to it.</summary>
    private static int[] Order(Diagram diagram, out int[] rank)
    {
        int count = diagram.Boxes.Count;
        List<int>[] readers = [.. Enumerable.Range(0, count).Select(_ => new List<int>())];
        foreach (DiagramLine line in diagram.Lines) readers[line.From].Add(line.To);
        int[] found = new int[count];
        // Boxes are numbered in topological order.
        for (int i = 0; i < count; i++)
        {
            foreach (int reader in readers[i]) found[reader] = Math.Max(found[reader], found[i] + 1);
        }
        for (int i = count - 1; i >= 0; i--)
        {
            if (readers[i].Count > 0) found[i] = readers[i].Min(r => found[r]) - 1;
        }
        rank = found;
        return [.. Enumerable.Range(0, count).OrderBy(i => found[i]).ThenBy(i => i)];
    }

    private static List<int[]> Cut(Diagram diagram, int[] order, int[] rank)
    {
        if (order.Length <= MostPart) return order.Length == 0 ? [] : [order];
        int[] position = new int[order.Length];
        for (int i = 0; i < order.Length; i++) position[order[i]] = i;
        // How many boxes before each place are read behind it.
        int[] crossing = new int[order.Length + 1];
        foreach (IGrouping<int, DiagramLine> lines in diagram.Lines.GroupBy(l => l.From))
        {
            crossing[position[lines.Key] + 1]++;
            crossing[lines.Max(l => position[l.To]) + 1]--;
        }
        for (int i = 1; i < crossing.Length; i++) crossing[i] += crossing[i - 1];
        List<int[]> parts = [];
        int start = 0;
        while (order.Length - start > MostPart)
        {
            int best = -1;
            for (int at = start + LeastPart; at <= start + MostPart; at++)
            {
                if (rank[order[at]] == rank[order[at - 1]]) continue;
                if (best < 0 || crossing[at] < crossing[best] || crossing[at] == crossing[best] && Math.Abs(at - start - GoodPart) < Math.Abs(best - start - GoodPart)) best = at;
            }
            if (best < 0) best = start + MostPart;
            parts.Add(order[start..best]);
            start = best;
        }
        parts.Add(order[start..]);
        return parts;
    }

    private static void Place(Diagram diagram, int[] part, List<DiagramLine> lines)
    {
        BidirectionalGraph<DiagramBox, Edge<DiagramBox>> graph = new(allowParallelEdges: false);
        Dictionary<DiagramBox, Size> sizes = [];
        foreach (int id in part)
        {
            graph.AddVertex(diagram.Boxes[id]);
            sizes[diagram.Boxes[id]] = new Size(diagram.Boxes[id].Width, diagram.Boxes[id].Height);
        }
        Dictionary<DiagramLine, Edge<DiagramBox>> edges = [];
        foreach (DiagramLine line in lines)
        {
            Edge<DiagramBox> edge = new(diagram.Boxes[line.From], diagram.Boxes[line.To]);
            edges[line] = edge;
            graph.AddEdge(edge);
        }
        SugiyamaLayoutParameters parameters = new() { LayerGap = LayerGap, SliceGap = BoxGap, EdgeRouting = SugiyamaEdgeRouting.Traditional, PositionMode = -1, MinimizeEdgeLength = true, OptimizeWidth = false };
        SugiyamaLayoutAlgorithm<DiagramBox, Edge<DiagramBox>, BidirectionalGraph<DiagramBox, Edge<DiagramBox>>> layout = new(graph, sizes, parameters) { Rand = new Random(1) };
        layout.Compute();
        foreach ((DiagramBox box, Point at) in layout.VerticesPositions) (box.X, box.Y) = (Math.Round(at.X, 1), Math.Round(at.Y, 1));
        Separate([.. part.Select(id => diagram.Boxes[id])]);
        foreach ((DiagramLine line, Edge<DiagramBox> edge) in edges)
        {
            Point[] between = layout.EdgeRoutes.TryGetValue(edge, out Point[]? route) && route is not null ? route : [];
            line.Points = [Below(edge.Source), .. between.Select(p => (Math.Round(p.X, 1), Math.Round(p.Y, 1))), Above(edge.Target)];
        }
    }

    // The library now and then lets two neighbours of a layer overlap.
    private static void Separate(IEnumerable<DiagramBox> part)
    {
        List<DiagramBox> layer = [];
        double bottom = double.NegativeInfinity;
        foreach (DiagramBox box in part.OrderBy(b => b.Y - b.Height / 2))
        {
            if (box.Y - box.Height / 2 >= bottom) Spread(layer);
            layer.Add(box);
            bottom = Math.Max(bottom, box.Y + box.Height / 2);
        }
        Spread(layer);
    }

    private static void Spread(List<DiagramBox> layer)
    {
        double free = double.NegativeInfinity;
        foreach (DiagramBox box in layer.OrderBy(b => b.X).ThenBy(b => b.Id))
        {
            box.X = Math.Max(box.X, free + box.Width / 2);
            free = box.X + box.Width / 2 + BoxGap / 2;
        }
        layer.Clear();
    }

    /// <summary>Moves a part under those before it, so that what comes from them comes straight down.</summary>
    private static void Stack(Diagram diagram, int[] part, List<DiagramLine> inner, List<DiagramLine> crossing, ref double top)
    {
        double highest = part.Min(b => diagram.Boxes[b].Y - diagram.Boxes[b].Height / 2);
        double down = top - highest;
        List<double> wanted = [.. crossing.Select(l => diagram.Boxes[l.From].X - diagram.Boxes[l.To].X).Order()];
        double aside = wanted.Count > 0 ? wanted[wanted.Count / 2] : 0;
        foreach (int id in part)
        {
            diagram.Boxes[id].X += aside;
            diagram.Boxes[id].Y += down;
        }
        foreach (DiagramLine line in inner) line.Points = [.. line.Points.Select(p => (p.X + aside, p.Y + down))];
        top = part.Max(b => diagram.Boxes[b].Y + diagram.Boxes[b].Height / 2) + LayerGap;
    }

    private static void Join(Diagram diagram, DiagramLine line, int[] partOf)
    {
        (double x1, double y1) = Below(diagram.Boxes[line.From]);
        (double x2, double y2) = Above(diagram.Boxes[line.To]);
        line.IsFar = partOf[line.To] - partOf[line.From] > 1 || y2 - y1 > 6 * LayerGap;
        line.Points = [(x1, y1), (x2, y2)];
    }

    private static (double X, double Y) Below(DiagramBox box) => (box.X, box.Y + box.Height / 2);

    private static (double X, double Y) Above(DiagramBox box) => (box.X, box.Y - box.Height / 2);
}
