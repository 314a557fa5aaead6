using System.Collections;

namespace TrtTools.Ir;

/// <summary>A node's inputs or outputs; null where an optional one is absent. Only <see cref="Node"/> and <see cref="Graph"/> change it.</summary>
internal sealed class ValueList : IReadOnlyList<Value?>
{
    private Value?[] _items = [];

    public int Count { get; private set; }

    public Value? this[int index]
    {
        get => index < Count ? _items[index] : throw new ArgumentOutOfRangeException(nameof(index));
        internal set => _items[index < Count ? index : throw new ArgumentOutOfRangeException(nameof(index))] = value;
    }

    public Enumerator GetEnumerator() => new(this);

    IEnumerator<Value?> IEnumerable<Value?>.GetEnumerator() => GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>Room for exactly so many.</summary>
    internal void Reserve(int count)
    {
        if (_items.Length < count) Array.Resize(ref _items, count);
    }

    internal void Add(Value? value)
    {
        if (Count == _items.Length) Array.Resize(ref _items, Count == 0 ? 1 : Count * 2);
        _items[Count++] = value;
    }

    internal void RemoveAt(int index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
        Array.Copy(_items, index + 1, _items, index, Count - index - 1);
        _items[--Count] = null;
    }

    internal void Clear()
    {
        Array.Clear(_items, 0, Count);
        Count = 0;
    }

    internal struct Enumerator(ValueList list) : IEnumerator<Value?>
    {
        private int _at = -1;

        public readonly Value? Current => list._items[_at];

        readonly object? IEnumerator.Current => Current;

        public bool MoveNext() => ++_at < list.Count;

        public void Reset() => _at = -1;

        public readonly void Dispose() { }
    }
}
