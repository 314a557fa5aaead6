using System.Collections;
using System.Globalization;
using System.Reflection;

namespace TrtTools.MutateGuards;

/// <summary>The tests of the passes, called without their runner: each row of a theory is a case.</summary>
internal sealed class TestCases
{
    private readonly Assembly _tests;

    public TestCases(string folder)
    {
        AppDomain.CurrentDomain.AssemblyResolve += (_, wanted) => Path.Combine(folder, new AssemblyName(wanted.Name).Name + ".dll") is var file && File.Exists(file) ? Assembly.LoadFrom(file) : null;
        _tests = Assembly.LoadFrom(Path.Combine(folder, "TrtTools.Core.Tests.dll"));
        Core = Assembly.LoadFrom(Path.Combine(folder, "TrtTools.Core.dll"));
        All = [.. Find()];
    }

    public Assembly Core { get; }

    public IReadOnlyList<TestCase> All { get; }

    private IEnumerable<TestCase> Find()
    {
        foreach (Type type in _tests.GetTypes().Where(t => t is { IsClass: true, IsAbstract: false, Namespace: "TrtTools.Tests.Passes" }).OrderBy(t => t.Name, StringComparer.Ordinal))
        {
            foreach (MethodInfo method in type.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly).OrderBy(m => m.Name, StringComparer.Ordinal))
            {
                Attribute[] attributes = [.. method.GetCustomAttributes()];
                if (attributes.Any(a => a.GetType().Name == "FactAttribute")) yield return new TestCase(type, method, [], 0);
                if (!attributes.Any(a => a.GetType().Name == "TheoryAttribute")) continue;
                int row = 0;
                foreach (object?[] arguments in attributes.SelectMany(a => Rows(a, type))) yield return new TestCase(type, method, arguments, row++);
            }
        }
    }

    private static IEnumerable<object?[]> Rows(Attribute attribute, Type type)
    {
        switch (attribute.GetType().Name)
        {
            case "InlineDataAttribute":
                yield return (object?[])attribute.GetType().GetProperty("Data")!.GetValue(attribute)!;
                break;
            case "MemberDataAttribute":
                string member = (string)attribute.GetType().GetProperty("MemberName")!.GetValue(attribute)!;
                foreach (object row in (IEnumerable)type.GetProperty(member, BindingFlags.Public | BindingFlags.Static)!.GetValue(null)!)
                {
                    yield return row as object?[] ?? (object?[])row.GetType().GetInterfaces().First(i => i.Name == "ITheoryDataRow").GetMethod("GetData")!.Invoke(row, null)!;
                }
                break;
        }
    }
}

internal sealed record TestCase(Type Type, MethodInfo Method, object?[] Arguments, int Row)
{
    public string Id => string.Create(CultureInfo.InvariantCulture, $"{Type.Name}.{Method.Name}#{Row}");

    /// <summary>Graphs by the hundred and whole models, which take seconds.</summary>
    public bool IsSlow => Type.Name.Contains("Random", StringComparison.Ordinal) || Type.Name.StartsWith("SharedModel", StringComparison.Ordinal);

    /// <summary>True when it passes or skips.</summary>
    public bool Passes()
    {
        try
        {
            ConstructorInfo constructor = Type.GetConstructors()[0];
            object instance = constructor.Invoke([.. constructor.GetParameters().Select(p => Quiet.For(p.ParameterType))]);
            object?[] arguments = [.. Method.GetParameters().Select((p, i) => i < Arguments.Length ? Arguments[i] : p.HasDefaultValue ? p.DefaultValue : null)];
            object? result = Method.Invoke(instance, arguments);
            if (result is Task task) task.GetAwaiter().GetResult();
            (instance as IDisposable)?.Dispose();
            return true;
        }
        catch (Exception e)
        {
            Exception real = e is TargetInvocationException { InnerException: { } inner } ? inner : e;
            return real.Message.StartsWith("$XunitDynamicSkip$", StringComparison.Ordinal);
        }
    }
}

/// <summary>A helper for output that writes nothing.</summary>
internal class Quiet : DispatchProxy
{
    public static object For(Type type) => typeof(DispatchProxy).GetMethod(nameof(Create), 2, [])!.MakeGenericMethod(type, typeof(Quiet)).Invoke(null, null)!;

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => targetMethod?.ReturnType == typeof(string) ? "" : null;
}
