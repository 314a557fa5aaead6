using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using TrtTools.Files;

namespace TrtTools.Kernels;

/// <summary>
/// Machine code on disk: key.cubin, with the text it came from beside it (key.cu) and its resources and digest (key.txt), which is written last. The key hashes whatever can change the code.
/// A file that is damaged or cannot be read counts as absent; a folder that cannot be written to leaves the cache empty, not the build failed.
/// </summary>
internal sealed class KernelCache(string folder)
{
    private const string Revision = "trttools-kernel-1";

    public string Folder { get; } = folder;

    /// <summary>Where kernels are kept unless a build says otherwise.</summary>
    public static string DefaultFolder => Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify), "TrtTools", "kernels");

    public static string Key(KernelSource source, IReadOnlyDictionary<string, string> headers, IReadOnlyList<string> options, Version compiler)
    {
        StringBuilder text = new();
        foreach (string part in (IEnumerable<string>)[Revision, compiler.ToString(), source.Function, source.Text, .. options, .. headers.OrderBy(h => h.Key, StringComparer.Ordinal).SelectMany(h => new[] { h.Key, h.Value })])
        {
            text.Append(CultureInfo.InvariantCulture, $"{part.Length}:").Append(part).Append('\n');
        }
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }

    public (byte[] Code, KernelResources Resources)? Find(string key)
    {
        try
        {
            string note = PathOf(key, ".txt");
            if (!File.Exists(note)) return null;
            string[] lines = File.ReadAllLines(note);
            byte[] code = File.ReadAllBytes(PathOf(key, ".cubin"));
            if (lines.Length < 2 || lines[0] != Convert.ToHexStringLower(SHA256.HashData(code))) return null;
            int[] numbers = [.. lines[1].Split(' ').Select(n => int.Parse(n, CultureInfo.InvariantCulture))];
            return numbers is [int registers, int shared, int stack, int stores, int loads] ? (code, new KernelResources(registers, shared, stack, stores, loads)) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException or OverflowException)
        {
            return null;
        }
    }

    /// <summary>False where the folder cannot be written to.</summary>
    public bool Add(string key, KernelSource source, byte[] code, KernelResources resources)
    {
        string note = string.Create(CultureInfo.InvariantCulture,
            $"{Convert.ToHexStringLower(SHA256.HashData(code))}\n{resources.Registers} {resources.SharedBytes} {resources.StackBytes} {resources.SpillStoreBytes} {resources.SpillLoadBytes}\n{source.Function}: {resources}\n");
        try
        {
            Write(PathOf(key, ".cu"), Encoding.UTF8.GetBytes(source.Text));
            Write(PathOf(key, ".cubin"), code);
            Write(PathOf(key, ".txt"), Encoding.UTF8.GetBytes(note));
            return true;
        }
        catch (TrtToolsException)
        {
            return false;
        }
    }

    private string PathOf(string key, string extension) => Path.Combine(Folder, key[..2], key + extension);

    private static void Write(string path, byte[] content) => AtomicFile.Write(path, overwrite: true, stream => stream.Write(content));
}
