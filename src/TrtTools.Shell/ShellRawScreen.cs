using System.Globalization;
using System.Management.Automation.Host;

namespace TrtTools.Shell;

/// <summary>The size of the screen; nothing else of a console is offered.</summary>
internal sealed class ShellRawScreen : PSHostRawUserInterface
{
    // Of a log or a pipe: wide enough for every table of the module, and still readable.
    private const int WidthWithoutTerminal = 120;

    public static bool OutputIsTerminal { get; } = !Console.IsOutputRedirected;

    public override Size BufferSize
    {
        get => new(Width(), 3000);
        set { }
    }

    public override Size WindowSize
    {
        get => new(Width(), OutputIsTerminal ? Math.Max(10, Console.WindowHeight) : 50);
        set { }
    }

    public override Size MaxWindowSize => WindowSize;

    public override Size MaxPhysicalWindowSize => WindowSize;

    public override ConsoleColor ForegroundColor { get; set; } = ConsoleColor.Gray;

    public override ConsoleColor BackgroundColor { get; set; } = ConsoleColor.Black;

    public override Coordinates CursorPosition { get; set; }

    public override Coordinates WindowPosition { get; set; }

    public override int CursorSize { get; set; } = 25;

    public override bool KeyAvailable => false;

    public override string WindowTitle { get; set; } = "TrtTools.Shell";

    public override void FlushInputBuffer() { }

    public override KeyInfo ReadKey(ReadKeyOptions options) => throw new HostException("TrtTools.Shell reads no single keys.");

    public override BufferCell[,] GetBufferContents(Rectangle rectangle) => new BufferCell[0, 0];

    public override void SetBufferContents(Coordinates origin, BufferCell[,] contents) { }

    public override void SetBufferContents(Rectangle rectangle, BufferCell fill) { }

    public override void ScrollBufferContents(Rectangle source, Coordinates destination, Rectangle clip, BufferCell fill) { }

    private static int Width()
    {
        if (OutputIsTerminal && Console.WindowWidth > 0) return Math.Max(40, Console.WindowWidth);
        return int.TryParse(Environment.GetEnvironmentVariable("COLUMNS"), NumberStyles.None, CultureInfo.InvariantCulture, out int columns) && columns >= 40 ? columns : WidthWithoutTerminal;
    }
}
