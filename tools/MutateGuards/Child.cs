using System.Diagnostics;
using System.Globalization;
using System.Reflection;

namespace TrtTools.MutateGuards;

/// <summary>The process in which the mutated assembly runs. It says on its output what became of each guard: a guard whose absence ends the process, or keeps it from ending, is missed too.</summary>
internal static class Child
{
    private static readonly TimeSpan s_longest = TimeSpan.FromMinutes(3);

    /// <summary>All cases with every guard on: which guard bars something in which case, and how long each takes.</summary>
    public static int Record(string folder, string file)
    {
        TestCases cases = new(folder);
        Type mutants = cases.Core.GetType("TrtTools.Mutants")!;
        PropertyInfo test = mutants.GetProperty("Test")!;
        List<string> lines = [];
        bool all = true;
        foreach (TestCase one in cases.All)
        {
            test.SetValue(null, one.Id);
            Stopwatch clock = Stopwatch.StartNew();
            if (!one.Passes())
            {
                all = false;
                Console.WriteLine($"fails with every guard on: {one.Id}");
            }
            lines.Add(string.Create(CultureInfo.InvariantCulture, $"time\t{one.Id}\t{clock.ElapsedMilliseconds}"));
        }
        foreach (object pair in (System.Collections.IEnumerable)mutants.GetProperty("Fired")!.GetValue(null)!)
        {
            System.Runtime.CompilerServices.ITuple tuple = (System.Runtime.CompilerServices.ITuple)pair;
            lines.Add($"fired\t{tuple[0]}\t{tuple[1]}");
        }
        File.WriteAllLines(file, lines);
        return all ? 0 : 1;
    }

    /// <summary>Reads "guard, case, case, …" (tabs between) and answers "missed" or "survives" for each. Without a guard: whether all quick cases pass.</summary>
    public static int Try(string folder)
    {
        TestCases cases = new(folder);
        Dictionary<string, TestCase> byId = cases.All.ToDictionary(c => c.Id, StringComparer.Ordinal);
        PropertyInfo? off = cases.Core.GetType("TrtTools.Mutants")?.GetProperty("Off");
        while (Console.ReadLine() is { Length: > 0 } line)
        {
            string[] parts = line.Split('\t');
            off?.SetValue(null, parts[0]);
            bool missed = false;
            Thread worker = new(() => missed = parts[1..].Any(id => !byId[id].Passes()), 16 << 20);
            worker.Start();
            if (!worker.Join(s_longest))
            {
                Console.WriteLine("missed");
                Console.Out.Flush();
                Environment.Exit(3);
            }
            Console.WriteLine(missed ? "missed" : "survives");
        }
        return 0;
    }
}
