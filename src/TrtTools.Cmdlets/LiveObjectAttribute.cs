using System.Management.Automation;

namespace TrtTools.Cmdlets;

/// <summary>Stands on a PSObject parameter that takes one type of ours. What is something else (a picture of one that came from another process,
/// a path) binds all the same, marked, so that the cmdlet can say in its own words and under its own error id what is wrong with it.</summary>
[AttributeUsage(AttributeTargets.Property | AttributeTargets.Field)]
public sealed class LiveObjectAttribute(string typeName) : ArgumentTransformationAttribute
{
    public string TypeName => typeName;

    public override object? Transform(EngineIntrinsics engineIntrinsics, object? inputData)
    {
        if (inputData is null) return null;
        PSObject item = PSObject.AsPSObject(inputData);
        if (string.Equals(item.BaseObject.GetType().FullName, typeName, StringComparison.Ordinal)) return item;
        PSObject marked = PSObject.AsPSObject(new WrongObject(item));
        marked.TypeNames.Insert(0, typeName);
        return marked;
    }

    /// <summary>The live object in <paramref name="argument"/>, or the error that says why there is none.</summary>
    internal static T Get<T>(PSObject argument, string parameter, string reader) where T : class
    {
        if (argument.BaseObject is T live) return live;
        PSObject wrong = argument.BaseObject is WrongObject marked ? marked.Item : argument;
        string found = wrong.TypeNames.Count > 0 ? wrong.TypeNames[0] : wrong.BaseObject.GetType().FullName!;
        if (found.StartsWith("Deserialized.TrtTools.", StringComparison.Ordinal))
        {
            throw new TrtToolsException(ErrorCode.ObjectNotLive, $"-{parameter}", $"a {found} was given, a copy that came from another process", $"It takes a live {typeof(T).Name}",
                $"Pass the path and use {reader} where it is needed");
        }
        string shown = wrong.BaseObject is string text ? $"the text '{Shorten(text)}'" : $"a {found}";
        throw new TrtToolsException(ErrorCode.InputInvalid, $"-{parameter}", $"{shown} was given", $"It takes {("AEIOU".Contains(typeof(T).Name[0]) ? "an" : "a")} {typeof(T).Name}", $"{reader} reads one from a file");
    }

    /// <summary>The path in <paramref name="argument"/> when it is a file or a text instead of the object: what Get-ChildItem pipes.</summary>
    internal static string? FilePath(PSObject argument) => argument.BaseObject is WrongObject wrong
        ? wrong.Item.BaseObject switch { FileInfo file => file.FullName, string text => text, _ => null }
        : null;

    private static string Shorten(string text) => text.Length <= 60 ? text : text[..57] + "...";

    internal sealed record WrongObject(PSObject Item);
}
