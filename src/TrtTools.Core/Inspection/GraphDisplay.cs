using System.Text;
using TrtTools.Files;
using TrtTools.Ir;

namespace TrtTools.Inspection;

/// <summary>Shows a graph.</summary>
public static class GraphDisplay
{
    /// <summary>The file extension of a form, with its dot.</summary>
    public static string Extension(DisplayForm form) => form switch { DisplayForm.Dot => ".dot", DisplayForm.Svg => ".svg", DisplayForm.Html => ".html", _ => ".txt" };

    public static string Render(OnnxGraph graph, DisplayOptions options, Report report, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(options);
        if (options.Form == DisplayForm.Text)
        {
            if (options.Engine is not null) throw new TrtToolsException(ErrorCode.OptionInvalid, "Engine", "the text form shows no times", "A form with colours can", "Give -As Html or -As Svg, or use Get-EngineLayer");
            return TextView.Write(graph, options.Detail);
        }
        report.Progress("Showing", $"{graph.Name}: reading", double.NaN);
        Diagram diagram = DiagramBuilder.Build(graph, statistics: options.Form == DisplayForm.Html, stop);
        if (options.Engine is { } engine) EngineTimes.Apply(diagram, engine, report, stop);
        if (options.Form == DisplayForm.Dot) return DotWriter.Write(diagram);
        report.Progress("Showing", $"{graph.Name}: laying out {diagram.Boxes.Count} boxes", double.NaN);
        DiagramLayout.Apply(diagram, stop);
        return options.Form == DisplayForm.Svg ? SvgWriter.Write(diagram) : HtmlWriter.Write(diagram);
    }

    /// <summary>Writes it to a file in UTF-8.</summary>
    public static void Write(OnnxGraph graph, string path, DisplayOptions options, bool force, Report report, CancellationToken stop)
    {
        byte[] content = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false).GetBytes(Render(graph, options, report, stop));
        AtomicFile.Write(path, force, stream => stream.Write(content));
    }
}
