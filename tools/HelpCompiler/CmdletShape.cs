using System.Reflection;
using System.Runtime.Loader;

namespace TrtTools.HelpCompiler;

/// <summary>One parameter in one parameter set ("" where it belongs to all).</summary>
internal sealed record ParameterUse(string Set, bool Mandatory, int? Position, bool ByValue, bool ByName, bool Hidden);

internal sealed record ParameterShape(string Name, string TypeName, string[] Values, bool IsSwitch, bool Globbing, string[] Aliases, IReadOnlyList<ParameterUse> Uses)
{
    public bool Hidden => Uses.Any(u => u.Hidden);
}

/// <summary>What the compiled class says of a cmdlet; help repeats it, so it is read from there. Attributes are read as data: nothing of the cmdlet runs.</summary>
internal sealed record CmdletShape(string Name, string? DefaultSet, bool SupportsShouldProcess, IReadOnlyList<ParameterShape> Parameters, IReadOnlyList<string> OutputTypes)
{
    public static IEnumerable<CmdletShape> Read(string assemblyPath, string[] references)
    {
        Dictionary<string, string> byName = new(StringComparer.OrdinalIgnoreCase);
        foreach (string reference in references) byName.TryAdd(Path.GetFileNameWithoutExtension(reference), reference);
        AssemblyLoadContext context = new("cmdlets");
        context.Resolving += (self, name) => byName.TryGetValue(name.Name!, out string? path) ? self.LoadFromAssemblyPath(path) : null;
        foreach (Type type in context.LoadFromAssemblyPath(Path.GetFullPath(assemblyPath)).GetExportedTypes().Where(t => !t.IsAbstract))
        {
            if (Data(type, "CmdletAttribute").FirstOrDefault() is not { } cmdlet) continue;
            yield return new CmdletShape($"{cmdlet.ConstructorArguments[0].Value}-{cmdlet.ConstructorArguments[1].Value}", Named(cmdlet, "DefaultParameterSetName") as string,
                Named(cmdlet, "SupportsShouldProcess") is true, [.. ReadParameters(type)], [.. OutputNames(type)]);
        }
    }

    private static IEnumerable<ParameterShape> ReadParameters(Type type)
    {
        foreach (PropertyInfo property in type.GetProperties().OrderBy(p => p.MetadataToken).OrderBy(p => Depth(p.DeclaringType!)))
        {
            ParameterUse[] uses = [.. Data(property, "ParameterAttribute").Select(Use)];
            if (uses.Length == 0) continue;
            Type item = property.PropertyType.IsArray ? property.PropertyType.GetElementType()! : Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
            string typeName = Data(property, "LiveObjectAttribute").FirstOrDefault() is { } live
                ? ((string)live.ConstructorArguments[0].Value!).Split('.')[^1]
                : item.Name + (property.PropertyType.IsArray ? "[]" : "");
            yield return new ParameterShape(property.Name, typeName, item.IsEnum ? Enum.GetNames(item) : [], item.Name == "SwitchParameter",
                Data(property, "SupportsWildcardsAttribute").Any(),
                [.. Data(property, "AliasAttribute").SelectMany(a => (IEnumerable<CustomAttributeTypedArgument>)a.ConstructorArguments[0].Value!).Select(v => (string)v.Value!)], uses);
        }
    }

    private static IEnumerable<string> OutputNames(Type type) => Data(type, "OutputTypeAttribute").SelectMany(a => a.ConstructorArguments)
        .SelectMany(a => a.Value is IEnumerable<CustomAttributeTypedArgument> many ? many.Select(m => m.Value) : [a.Value])
        .Select(v => v is Type t ? t.FullName! : v as string ?? "").Where(n => n.Length > 0);

    private static ParameterUse Use(CustomAttributeData data) => new(Named(data, "ParameterSetName") as string ?? "", Named(data, "Mandatory") is true, Named(data, "Position") as int?,
        Named(data, "ValueFromPipeline") is true, Named(data, "ValueFromPipelineByPropertyName") is true, Named(data, "DontShow") is true);

    private static IEnumerable<CustomAttributeData> Data(MemberInfo member, string attribute)
    {
        for (MemberInfo? at = member; at is not null; at = (at as Type)?.BaseType)
        {
            foreach (CustomAttributeData data in at.GetCustomAttributesData().Where(d => d.AttributeType.Name == attribute)) yield return data;
        }
    }

    private static object? Named(CustomAttributeData data, string name) => data.NamedArguments.Where(a => a.MemberName == name).Select(a => a.TypedValue.Value).FirstOrDefault();

    private static int Depth(Type type) => type.BaseType is null ? 0 : 1 + Depth(type.BaseType);
}
