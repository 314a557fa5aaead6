using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Onnx.Proto;
using TrtTools.Surgery;
using static TrtTools.Tests.Surgery.Operating;

namespace TrtTools.Tests.Surgery;

public sealed class MetadataTests
{
    private const string Text = "x: Float32[2] -> y: Float32[2] { y = Relu(x) }";

    private static Dictionary<string, string?> Entries(params string[] pairs) => pairs.Select(p => p.Split('=')).ToDictionary(p => p[0], p => p.Length > 1 ? p[1] : null, StringComparer.Ordinal);

    [Fact]
    public void Entries_are_set_changed_and_taken_out()
    {
        OnnxGraph one = On(Text, g => MetadataChange.Set(g, Entries("labels=cat,dog", "author=me")));
        OnnxGraph two = On(one, g => MetadataChange.Set(g, Entries("labels=cat", "author")));
        Assert.Equal(new Dictionary<string, string> { ["author"] = "me", ["labels"] = "cat,dog" }, one.Metadata);
        Assert.Equal(new Dictionary<string, string> { ["labels"] = "cat" }, two.Metadata);
        Assert.Equal("Set-GraphMetadata", two.History[^1].Transformation);
    }

    [Fact]
    public void The_file_has_them()
    {
        OnnxGraph after = On(Text, g => MetadataChange.Set(g, Entries("b=2", "a=")));
        Assert.Equal([("a", ""), ("b", "2")], ModelProto.Parser.ParseFrom(OnnxFile.Serialize(after)).MetadataProps.Select(p => (p.Key, p.Value)));
    }

    [Fact]
    public void Own_keys_empty_keys_and_unknown_keys_are_refused()
    {
        Refused(Text, ErrorCode.ChangeRefused, g => MetadataChange.Set(g, Entries("trttools.stripped=x")));
        Refused(Text, ErrorCode.OptionInvalid, g => MetadataChange.Set(g, Entries("=x")));
        Refused(Text, ErrorCode.OptionInvalid, g => MetadataChange.Set(g, Entries("author")));
    }
}
