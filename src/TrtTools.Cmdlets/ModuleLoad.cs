using System.Management.Automation;
using System.Management.Automation.Runspaces;
using System.Reflection;

namespace TrtTools.Cmdlets;

/// <summary>PowerShell calls this when the module is imported into a runspace and when it is removed from one.</summary>
public sealed class ModuleLoad : IModuleAssemblyInitializer, IModuleAssemblyCleanup
{
    // The module lives in every runspace that imported it (ForEach-Object -Parallel makes five); accelerators belong to the process.
    private static readonly Lock Gate = new();
    private static readonly List<WeakReference<Runspace>> Importers = [];
    private static readonly List<string> Registered = [];

    public void OnImport()
    {
        ModuleLoadContext.Install();
        lock (Gate)
        {
            DropClosed();
            if (Runspace.DefaultRunspace is { } current && !Importers.Exists(i => i.TryGetTarget(out Runspace? known) && ReferenceEquals(known, current)))
            {
                Importers.Add(new WeakReference<Runspace>(current));
            }
            if (Registered.Count == 0) Register();
        }
    }

    public void OnRemove(PSModuleInfo psModuleInfo)
    {
        lock (Gate)
        {
            Runspace? current = Runspace.DefaultRunspace;
            Importers.RemoveAll(i => i.TryGetTarget(out Runspace? known) && ReferenceEquals(known, current));
            DropClosed();
            if (Importers.Count == 0) Unregister();
        }
    }

    private static void DropClosed() => Importers.RemoveAll(static i => !i.TryGetTarget(out Runspace? runspace)
        || runspace.RunspaceStateInfo.State is RunspaceState.Closed or RunspaceState.Closing or RunspaceState.Broken);

    // Types of a private load context have no literals: PowerShell searches the default context alone. Accelerators give them their names back.
    private static void Register()
    {
        if (Accelerators is not { } accelerators) return;
        MethodInfo add = accelerators.GetMethod("Add", [typeof(string), typeof(Type)])!;
        IDictionary<string, Type> existing = (IDictionary<string, Type>)accelerators.GetProperty("Get")!.GetValue(null)!;
        foreach (Type type in ModuleLoadContext.LoadEntrances().SelectMany(a => a.GetExportedTypes()))
        {
            if (type.IsNested || type.FullName is not { } name || existing.ContainsKey(name)) continue;
            add.Invoke(null, [name, type]);
            Registered.Add(name);
        }
    }

    private static void Unregister()
    {
        if (Accelerators is not { } accelerators) return;
        MethodInfo remove = accelerators.GetMethod("Remove", [typeof(string)])!;
        foreach (string name in Registered) remove.Invoke(null, [name]);
        Registered.Clear();
    }

    private static Type? Accelerators => typeof(PSObject).Assembly.GetType("System.Management.Automation.TypeAccelerators");
}
