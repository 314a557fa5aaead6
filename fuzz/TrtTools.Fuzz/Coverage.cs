using SharpFuzz.Common;

namespace TrtTools.Fuzz;

/// <summary>Which branches the instrumented assemblies took, in AFL's form: a counter for each pair of neighbouring blocks, in eight classes of how often.</summary>
internal sealed unsafe class Coverage
{
    private const int Size = 1 << 16;
    private readonly byte[] _hits = GC.AllocateArray<byte>(Size, pinned: true);
    private readonly byte[] _seen = new byte[Size];

    public Coverage()
    {
        Trace.SharedMem = (byte*)System.Runtime.InteropServices.Marshal.UnsafeAddrOfPinnedArrayElement(_hits, 0);
    }

    /// <summary>Pairs seen so far.</summary>
    public int Edges { get; private set; }

    public void Clear()
    {
        Array.Clear(_hits);
        Trace.PrevLocation = 0;
    }

    /// <summary>Whether the last file took a branch, or one so often, as none did before.</summary>
    public bool Learn()
    {
        bool isNew = false;
        for (int i = 0; i < Size; i++)
        {
            byte hits = _hits[i];
            if (hits == 0) continue;
            byte bit = (byte)(1 << (hits switch { 1 => 0, 2 => 1, 3 => 2, < 8 => 3, < 16 => 4, < 32 => 5, < 128 => 6, _ => 7 }));
            if ((_seen[i] & bit) != 0) continue;
            if (_seen[i] == 0) Edges++;
            _seen[i] |= bit;
            isNew = true;
        }
        return isNew;
    }
}
