namespace TrtTools.Tactics;

/// <summary>Long loops on several threads.</summary>
internal static class Pieces
{
    /// <summary>Calls with ranges of so many elements at most; which thread does which changes nothing.</summary>
    public static void Run(int count, int piece, Action<int, int> work)
    {
        if (count <= piece)
        {
            work(0, count);
            return;
        }
        int pieces = (int)(((long)count + piece - 1) / piece);
        Parallel.For(0, pieces, i => work(i * piece, (int)Math.Min(count, ((long)i + 1) * piece)));
    }
}
