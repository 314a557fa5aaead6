using System.Diagnostics;
using System.Globalization;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;

namespace TrtTools.Tests.Inspection;

/// <summary>A headless Chromium, driven by its debugging protocol. Where there is none, the test that asks for it skips.</summary>
internal sealed class Browser : IDisposable
{
    private static readonly string[] Names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

    private readonly TestFolder _profile = new();
    private readonly Process _process;
    private readonly ClientWebSocket _socket = new();
    private int _last;

    private Browser(string program)
    {
        ProcessStartInfo start = new(program) { RedirectStandardError = true, RedirectStandardOutput = true };
        foreach (string argument in new[] { "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage", "--no-first-run", "--window-size=1200,800", "--remote-debugging-port=0", $"--user-data-dir={_profile.FullPath}", "about:blank" })
        {
            start.ArgumentList.Add(argument);
        }
        _process = Process.Start(start)!;
        _process.OutputDataReceived += static (_, _) => { };
        _process.ErrorDataReceived += static (_, _) => { };
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>What the page wrote as an error, and addresses it asked for.</summary>
    public List<string> Faults { get; } = [];

    public List<string> Requests { get; } = [];

    public static async Task<Browser> Open(string file)
    {
        string? program = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).SelectMany(f => Names.Select(n => Path.Combine(f, n))).FirstOrDefault(File.Exists);
        Assert.SkipUnless(program is not null, "No Chromium in the path: the page can't be tried (Debian: apt-get install chromium).");
        Browser browser = new(program!);
        try
        {
            await browser.Connect(file);
            return browser;
        }
        catch
        {
            browser.Dispose();
            throw;
        }
    }

    private async Task Connect(string file)
    {
        string port = "";
        for (int i = 0; i < 600 && port.Length == 0; i++)
        {
            Assert.False(_process.HasExited, "Chromium ended at its start.");
            string path = _profile.File("DevToolsActivePort");
            if (File.Exists(path)) port = (await File.ReadAllLinesAsync(path)).FirstOrDefault() ?? "";
            if (port.Length == 0) await Task.Delay(100);
        }
        using HttpClient http = new();
        using JsonDocument targets = JsonDocument.Parse(await http.GetStringAsync(new Uri($"http://127.0.0.1:{port}/json")));
        string address = targets.RootElement.EnumerateArray().First(t => t.GetProperty("type").GetString() == "page").GetProperty("webSocketDebuggerUrl").GetString()!;
        await _socket.ConnectAsync(new Uri(address), CancellationToken.None);
        await Call("Runtime.enable");
        await Call("Network.enable");
        await Call("Page.enable");
        await Call("Page.navigate", new { url = new Uri(file).AbsoluteUri });
        for (int i = 0; i < 600; i++)
        {
            if ((await Evaluate("document.readyState + (document.getElementById('panel')?.childElementCount ?? 0)")).GetString() is { } state && state.StartsWith("complete", StringComparison.Ordinal) && state != "complete0") return;
            await Task.Delay(50);
        }
        Assert.Fail("The page did not come up: " + string.Join("; ", Faults));
    }

    public async Task<JsonElement> Evaluate(string script)
    {
        JsonElement answer = await Call("Runtime.evaluate", new { expression = script, returnByValue = true, awaitPromise = true });
        Assert.False(answer.TryGetProperty("exceptionDetails", out JsonElement fault), fault.ToString());
        return answer.GetProperty("result").TryGetProperty("value", out JsonElement value) ? value : default;
    }

    public async Task<double> Number(string script) => (await Evaluate(script)).GetDouble();

    public async Task<string> Text(string script) => (await Evaluate(script)).GetString() ?? "";

    public Task Mouse(string type, double x, double y, bool down = false) =>
        Call("Input.dispatchMouseEvent", new { type, x, y, button = type == "mouseMoved" && !down ? "none" : "left", buttons = down ? 1 : 0, clickCount = type == "mouseMoved" ? 0 : 1 });

    public async Task Click(double x, double y)
    {
        await Mouse("mouseMoved", x, y);
        await Mouse("mousePressed", x, y, down: true);
        await Mouse("mouseReleased", x, y);
    }

    public async Task Type(string text)
    {
        foreach (char c in text) await Call("Input.dispatchKeyEvent", new { type = "char", text = c.ToString() });
    }

    public async Task Key(string key)
    {
        await Call("Input.dispatchKeyEvent", new { type = "keyDown", key });
        await Call("Input.dispatchKeyEvent", new { type = "keyUp", key });
    }

    /// <summary>The middle of the first box whose title is this, in the window.</summary>
    public async Task<(double X, double Y)> Place(string title)
    {
        JsonElement at = await Evaluate($"(() => {{ const b = boxes.find(b => b.title === {JsonSerializer.Serialize(title)}), r = canvas.getBoundingClientRect(); return [r.left + r.width / 2 + (b.x - view.x) * view.scale, r.top + r.height / 2 + (b.y - view.y) * view.scale]; }})()");
        return (at[0].GetDouble(), at[1].GetDouble());
    }

    private async Task<JsonElement> Call(string method, object? arguments = null)
    {
        int id = ++_last;
        byte[] message = JsonSerializer.SerializeToUtf8Bytes(new { id, method, @params = arguments ?? new { } });
        await _socket.SendAsync(message, WebSocketMessageType.Text, true, CancellationToken.None);
        using CancellationTokenSource patience = new(TimeSpan.FromMinutes(2));
        while (true)
        {
            JsonElement answer = await Receive(patience.Token);
            if (answer.TryGetProperty("method", out JsonElement told))
            {
                if (told.GetString() == "Runtime.exceptionThrown") Faults.Add(answer.GetProperty("params").ToString());
                if (told.GetString() == "Network.requestWillBeSent") Requests.Add(answer.GetProperty("params").GetProperty("request").GetProperty("url").GetString()!);
                continue;
            }
            if (answer.GetProperty("id").GetInt32() != id) continue;
            Assert.False(answer.TryGetProperty("error", out JsonElement error), string.Create(CultureInfo.InvariantCulture, $"{method}: {error}"));
            return answer.GetProperty("result");
        }
    }

    private async Task<JsonElement> Receive(CancellationToken stop)
    {
        byte[] buffer = new byte[1 << 16];
        using MemoryStream message = new();
        while (true)
        {
            WebSocketReceiveResult part = await _socket.ReceiveAsync(buffer, stop);
            message.Write(buffer, 0, part.Count);
            if (part.EndOfMessage) break;
        }
        using JsonDocument document = JsonDocument.Parse(Encoding.UTF8.GetString(message.GetBuffer(), 0, (int)message.Length));
        return document.RootElement.Clone();
    }

    public void Dispose()
    {
        _socket.Dispose();
        try { _process.Kill(entireProcessTree: true); } catch (InvalidOperationException) { }
        _process.WaitForExit(5000);
        _process.Dispose();
        _profile.Dispose();
    }
}
