namespace TrtTools.Lowering;

/// <summary>Who reads and writes what, kept current while operations are joined. Every value is written once (a Concat's by parts), so a reader may move to where its value is computed.</summary>
internal sealed class OperationGraph
{
    private readonly Dictionary<Storage, List<Operation>> _readers = [];
    private readonly Dictionary<Storage, List<Operation>> _writers = [];
    private readonly Dictionary<Operation, int> _positions = [];

    public OperationGraph(LoweringScope scope)
    {
        Scope = scope;
        foreach (Operation operation in scope.Operations) Add(operation);
        Renumber();
    }

    public LoweringScope Scope { get; }

    public IReadOnlyList<Operation> Operations => Scope.Operations;

    public IReadOnlyList<Operation> ReadersOf(Storage storage) => _readers.GetValueOrDefault(storage) ?? [];

    public IReadOnlyList<Operation> WritersOf(Storage storage) => _writers.GetValueOrDefault(storage) ?? [];

    public int PositionOf(Operation operation) => _positions[operation];

    public LoweredValue ValueOf(Storage storage) => Scope.ByStorage[storage];

    /// <summary>Changes an operation's nests.</summary>
    public void Change(Operation operation, Action change)
    {
        Forget(operation);
        change();
        Add(operation);
    }

    public void Remove(Operation operation)
    {
        Forget(operation);
        Scope.Operations.Remove(operation);
        Renumber();
    }

    /// <summary>Puts an operation where another stands, which goes.</summary>
    public void MoveTo(Operation operation, Operation place)
    {
        Forget(place);
        Scope.Operations.Remove(operation);
        Scope.Operations[Scope.Operations.IndexOf(place)] = operation;
        Renumber();
    }

    public void InsertBefore(Operation operation, Operation place)
    {
        Scope.Operations.Insert(Scope.Operations.IndexOf(place), operation);
        Add(operation);
        Renumber();
    }

    private void Renumber()
    {
        _positions.Clear();
        for (int i = 0; i < Scope.Operations.Count; i++) _positions[Scope.Operations[i]] = i;
    }

    private void Add(Operation operation)
    {
        foreach (Storage storage in HostNodes.Reads(operation).Distinct()) ListOf(_readers, storage).Add(operation);
        foreach (Storage storage in HostNodes.Writes(operation).Distinct()) ListOf(_writers, storage).Add(operation);
    }

    private void Forget(Operation operation)
    {
        foreach (Storage storage in HostNodes.Reads(operation).Distinct()) ListOf(_readers, storage).Remove(operation);
        foreach (Storage storage in HostNodes.Writes(operation).Distinct()) ListOf(_writers, storage).Remove(operation);
    }

    private static List<Operation> ListOf(Dictionary<Storage, List<Operation>> table, Storage storage)
    {
        if (!table.TryGetValue(storage, out List<Operation>? list)) table[storage] = list = [];
        return list;
    }
}
