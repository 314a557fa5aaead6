using CsCheck;
using TrtTools.Ir;

namespace TrtTools.Tests.Ir;

public sealed class UseListTests
{
    [Fact]
    public void It_is_a_list_in_order_however_uses_come_and_go() =>
        Gen.Select(Gen.Bool, Gen.Int[0, 200]).Array[0, 400].Sample(steps =>
        {
            Graph graph = new("g");
            Node[] nodes = [.. Enumerable.Range(0, 201).Select(_ => graph.AddNode("Relu", [], []))];
            UseList list = new();
            List<Use> expected = [];
            foreach ((bool adds, int number) in steps)
            {
                Use use = new(nodes[number], number % 3);
                if (adds && !expected.Contains(use))
                {
                    list.Add(use);
                    expected.Add(use);
                }
                else
                {
                    Assert.Equal(expected.Remove(use), list.Remove(use));
                }
                Assert.Equal(expected.Count, list.Count);
            }
            Assert.Equal(expected, list);
            for (int i = 0; i < expected.Count; i++) Assert.Equal(expected[i], list[i]);
        });
}
