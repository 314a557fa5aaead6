using System.Collections;

namespace TrtTools.Ir;

/// <summary>The uses of one value, in the order they were made. Adding and removing take constant time, also for the constant that a hundred
/// thousand nodes read.</summary>
internal sealed class UseList : IReadOnlyList<Use>
{
    /// <summary>From here on a use is found by a table instead of a search.</summary>
    private const int LongestSearch = 32;

    // A removed use leaves a hole (its node is null) until half are holes.
    private Use[] _items = [];
    private int _length;
    private int _holes;
    private Dictionary<Use, int>? _places;

    public int Count => _length - _holes;

    public Use this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
            if (_holes == 0) return _items[index];
            for (int i = 0; ; i++)
            {
                if (_items[i].Node is not null && --index < 0) return _items[i];
            }
        }
    }

    public void Add(Use use)
    {
        if (_length == _items.Length) Array.Resize(ref _items, _length == 0 ? 1 : _length * 2);
        _places?.Add(use, _length);
        _items[_length++] = use;
    }

    public bool Remove(Use use)
    {
        if (_length <= LongestSearch)
        {
            int at = Array.IndexOf(_items, use, 0, _length);
            if (at < 0) return false;
            Array.Copy(_items, at + 1, _items, at, _length - at - 1);
            _items[--_length] = default;
            return true;
        }
        if (_places is null)
        {
            _places = new Dictionary<Use, int>(_length);
            for (int i = 0; i < _length; i++) _places.Add(_items[i], i);
        }
        if (!_places.Remove(use, out int place)) return false;
        _items[place] = default;
        _holes++;
        if (_holes * 2 > _length) Close();
        return true;
    }

    public void Clear() => (_items, _length, _holes, _places) = ([], 0, 0, null);

    /// <summary>The list must not change while this runs.</summary>
    public Enumerator GetEnumerator() => new(this);

    IEnumerator<Use> IEnumerable<Use>.GetEnumerator() => GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private void Close()
    {
        int count = 0;
        for (int i = 0; i < _length; i++)
        {
            if (_items[i].Node is not null) _items[count++] = _items[i];
        }
        Array.Resize(ref _items, Math.Max(1, count));
        (_length, _holes, _places) = (count, 0, null);
    }

    internal struct Enumerator(UseList list) : IEnumerator<Use>
    {
        private int _at = -1;

        public readonly Use Current => list._items[_at];

        readonly object IEnumerator.Current => Current;

        public bool MoveNext()
        {
            while (++_at < list._length)
            {
                if (list._items[_at].Node is not null) return true;
            }
            return false;
        }

        public void Reset() => _at = -1;

        public readonly void Dispose() { }
    }
}
