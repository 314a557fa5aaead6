using System.Text.RegularExpressions;
using TrtTools.Kernels;
using TrtTools.Lowering;
using TrtTools.Tactics;
using TrtTools.Tensors;

namespace TrtTools.Tests.Kernels;

/// <summary>Kernels for tensor cores, with no GPU: what they offer for a region and why not, that their texts compile, and that arguments are what the text declares.
/// What they compute is checked on a GPU: TRTTOOLS_DUMP_HANDMADE=folder writes them with what the Reference device computes.</summary>
public sealed partial class HandMadeKernelTests
{
    private static TacticContext Context(int capability = 90, bool tf32 = true, bool thorough = false, IReadOnlyDictionary<string, long>? symbols = null) => new()
    {
        Architecture = KernelCompiler.Architecture(capability), Capability = capability, Multiprocessors = 132, Tf32 = tf32, Thorough = thorough, Symbols = symbols ?? new Dictionary<string, long>(),
    };

    private static Offer[] Offers(HandMadeCases.Made made, TacticContext? context = null) => [.. new HandMadeTactics().Offers(made.Region, (context ?? Context()) with { Symbols = made.Case.Symbols })];

    private static HandMadeCases.Made Named(string name) => HandMadeCases.All.Single(c => c.Region.Name == name);

    private static IEnumerable<KernelLaunch> Launches(IEnumerable<Offer> offers) => offers.Select(o => o.Tactic).OfType<Tactic>().SelectMany(t => t.Launches).Cast<KernelTacticLaunch>().Select(l => l.Launch);

    [Theory]
    [InlineData(80, "trt mma", "trt wgmma")]
    [InlineData(89, "trt mma", "trt wgmma")]
    [InlineData(90, "trt wgmma", "")]
    public void A_product_is_offered_by_what_the_chip_has(int capability, string offered, string absent)
    {
        Offer[] offers = Offers(Named("bias-relu"), Context(capability));
        Assert.Contains(offers, o => o.Tactic is not null && o.Name.StartsWith(offered, StringComparison.Ordinal));
        if (absent.Length > 0) Assert.DoesNotContain(offers, o => o.Tactic is not null && o.Name.StartsWith(absent, StringComparison.Ordinal));
        Assert.All(Launches(offers), l => Assert.True(l.Source.MinimumCapability <= capability, l.Name));
        Assert.Equal(offers.Length, offers.Select(o => o.Name).Distinct(StringComparer.Ordinal).Count());
    }

    [Theory]
    [InlineData("odd depth", "rows are not aligned to 16 bytes", true)]
    [InlineData("odd channels", "no multiple of 8", true)]
    [InlineData("depthwise dilated", "", false)]
    public void What_TMA_cannot_address_is_left_to_the_kernel_without_it(string name, string reason, bool mma)
    {
        Offer[] offers = Offers(Named(name));
        if (reason.Length > 0) Assert.Contains(offers, o => o.Name == "trt wgmma" && o.Reason.Contains(reason, StringComparison.Ordinal));
        Assert.Equal(mma, offers.Any(o => o.Tactic is not null && o.Name.StartsWith("trt mma", StringComparison.Ordinal)));
    }

    [Fact]
    public void Single_precision_is_not_computed_as_TF32_unless_asked_for()
    {
        HandMadeCases.Made made = Named("tf32");
        Assert.DoesNotContain(Offers(made, Context(tf32: false)), o => o.Tactic is not null);
        Assert.All(Offers(made).Select(o => o.Tactic).OfType<Tactic>(), t => Assert.Equal("Tf32", t.Precision));
        Assert.Contains(Offers(made), o => o.Tactic is not null);
    }

    [Fact]
    public void Filters_that_stand_channels_first_are_packed_once()
    {
        HandMadeCases.Made made = Named("filters channels first");
        KernelLaunch[] launches = [.. Launches(Offers(made))];
        Storage[] weights = [.. launches.SelectMany(l => l.Arguments).OfType<PointerArgument>().Select(p => p.Storage).Concat(launches.SelectMany(l => l.Arguments).OfType<TensorMapArgument>().Select(m => m.Storage)).Where(s => s.Type == DataType.Float16 && s.Kind == StorageKind.Weight).Distinct()];
        Storage packed = Assert.Single(weights);
        ConvolutionFacts facts = (ConvolutionFacts)made.Region.Facts!;
        Assert.NotSame(facts.Weight.Storage, packed);
        ReadOnlySpan<Half> from = facts.Weight.Storage.Data!.AsSpan<Half>(), to = packed.Data!.AsSpan<Half>();
        // w[5, 3, 2, 1] of [16, 16, 3, 3]
        Assert.Equal(from[(((5 * 16) + 3) * 9) + (2 * 3) + 1], to[(((5 * 3) + 2) * 3 * 16) + (1 * 16) + 3]);
    }

    [Fact]
    public void A_result_channels_first_is_rejected_with_the_reason()
    {
        HandMadeCases.Made made = Named("3x3");
        LoopNest nest = made.Region.Nests[0];
        Region first = new() { Name = "first", Kind = RegionKind.Convolution, Operators = "Conv", Nests = [nest with { Target = TensorView.Dense(nest.Target.Storage, nest.Target.Shape) }], Facts = made.Region.Facts };
        Offer[] offers = [.. new HandMadeTactics().Offers(first, Context())];
        Assert.DoesNotContain(offers, o => o.Tactic is not null);
        Assert.Contains(offers, o => o.Reason.Contains("channels are not contiguous", StringComparison.Ordinal) || o.Reason.Contains("not evenly spaced", StringComparison.Ordinal));
    }

    [Fact]
    public void An_epilogue_that_depends_on_the_place_is_rejected()
    {
        HandMadeCases.Made made = Named("bias-relu");
        LoopNest nest = made.Region.Nests[0];
        Expr masked = Ex.Select(Ex.Less(Ex.Of(nest.Space[0]), Ex.Of(nest.Space[1])), nest.Result, Ex.Number(0));
        Region region = new() { Name = "masked", Kind = RegionKind.MatMul, Operators = "MatMul", Nests = [nest with { Result = masked }], Facts = made.Region.Facts };
        Assert.Contains("depends on the place", Assert.Single(new HandMadeTactics().Offers(region, Context())).Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("stem", 90, true, "TRT_QUADS 0")]
    [InlineData("stem, rows of four", 90, true, "TRT_QUADS 1")]
    [InlineData("stem of one channel", 90, false, "")]
    [InlineData("stem", 80, false, "")]
    public void Images_of_few_channels_and_strides_of_two_are_for_wgmma_too(string name, int capability, bool offered, string contains)
    {
        KernelLaunch[] launches = [.. Launches(Offers(Named(name), Context(capability)))];
        Assert.Contains(launches, l => l.Name.StartsWith("trt stem", StringComparison.Ordinal));
        KernelLaunch[] wide = [.. launches.Where(l => l.Name.StartsWith("trt wgmma-stem", StringComparison.Ordinal))];
        Assert.Equal(offered, wide.Length > 0);
        Assert.All(wide, l => Assert.Contains(contains, l.Source.Text, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("depthwise 3x3", 90, true)]
    [InlineData("depthwise 5x5 stride 2", 90, true)]
    [InlineData("depthwise dilated", 90, false)]
    [InlineData("depthwise 3x3", 80, false)]
    public void Depthwise_tiles_come_by_TMA_on_Hopper(string name, int capability, bool offered)
    {
        KernelLaunch[] launches = [.. Launches(Offers(Named(name), Context(capability)))];
        Assert.StartsWith("trt depthwise", launches[0].Name, StringComparison.Ordinal);
        KernelLaunch[] tiled = [.. launches.Where(l => l.Name.StartsWith("trt tma-depthwise", StringComparison.Ordinal))];
        Assert.Equal(offered, tiled.Length > 0);
        foreach (KernelLaunch launch in tiled)
        {
            TensorMapArgument map = Assert.IsType<TensorMapArgument>(launch.Arguments[0]);
            Assert.Equal(0, map.SwizzleBytes);
            Assert.All(map.Box, extent => Assert.InRange(extent, 1, 256));
            Assert.Equal(0, map.Box[0] % 8);
            // Two tiles and what aligns them.
            Assert.True(2 * map.Box[0] * map.Box[1] * map.Box[2] * 2 <= launch.SharedBytes, launch.Name);
        }
    }

    [Fact]
    public void A_GELU_of_erf_is_recognized_where_results_have_16_bits()
    {
        HandMadeCases.Made made = Named("gelu");
        Assert.All(Launches(Offers(made)), l => Assert.Contains("tc::gelu_fast(", l.Source.Text, StringComparison.Ordinal));
        // Another factor than ½, and x of the product not that of erf: neither is one.
        LoopNest nest = made.Region.Nests[0];
        Expr x = ((CallExpr)((CallExpr)nest.Result).Operands[0]).Operands[1];
        Expr Erf(Expr of) => Ex.Call("add", Ex.Number(1), Ex.Call("erf", Ex.Call("div", of, Ex.Number(Math.Sqrt(2)))));
        foreach (Expr other in new[] { Ex.Call("mul", x, Erf(x)), Ex.Call("mul", Ex.Call("mul", Ex.Number(0.5), Ex.Call("neg", x)), Erf(x)) })
        {
            Region region = new() { Name = "other", Kind = RegionKind.MatMul, Operators = "MatMul", Nests = [nest with { Result = other }], Facts = made.Region.Facts };
            Assert.All(Launches(new HandMadeTactics().Offers(region, Context())), l => Assert.DoesNotContain("tc::gelu_fast(", l.Source.Text, StringComparison.Ordinal));
        }
        // Any order of the factors.
        Region turned = new() { Name = "turned", Kind = RegionKind.MatMul, Operators = "MatMul", Nests = [nest with { Result = Ex.Call("mul", Ex.Call("mul", Erf(x), x), Ex.Number(0.5)) }], Facts = made.Region.Facts };
        Assert.All(Launches(new HandMadeTactics().Offers(turned, Context())), l => Assert.Contains("tc::gelu_fast(", l.Source.Text, StringComparison.Ordinal));
    }

    [Fact]
    public void Integers_with_a_zero_point_are_rejected()
    {
        HandMadeCases.Made made = Named("integers 3x3");
        LoopNest nest = made.Region.Nests[0];
        SelectExpr body = (SelectExpr)nest.Body!;
        Expr shifted = Ex.Select(body.Condition, Ex.Call("mul", Ex.Call("sub", body.WhenTrue.Operands[0], Ex.Int(3)), body.WhenTrue.Operands[1]), body.WhenFalse);
        Region region = new() { Name = "shifted", Kind = RegionKind.Convolution, Operators = "Conv", Nests = [nest with { Body = shifted }], Facts = made.Region.Facts };
        Assert.DoesNotContain(new HandMadeTactics().Offers(region, Context()), o => o.Tactic is not null);
    }

    [Fact]
    public void Every_case_is_offered_in_a_fixed_order()
    {
        foreach (HandMadeCases.Made made in HandMadeCases.All)
        {
            string[] first = [.. Offers(made).Select(o => o.ToString())], second = [.. Offers(made).Select(o => o.ToString())];
            Assert.Equal(first, second);
            Assert.True(Offers(made).Any(o => o.Tactic is not null), $"{made.Case}: {string.Join("; ", first)}");
        }
    }

    [Fact]
    public void Launches_pass_what_their_texts_declare()
    {
        foreach (KernelLaunch launch in HandMadeCases.All.SelectMany(c => Launches(Offers(c, Context(thorough: true)))))
        {
            string file = Regex.Matches(launch.Source.Text, "#include \"(.+)\"")[^1].Groups[1].Value;
            string text = KernelHeaders.All[file];
            string list = text[text.LastIndexOf("TRT_KERNEL(", StringComparison.Ordinal)..];
            list = list[(list.IndexOf('(', StringComparison.Ordinal) + 1)..];
            list = list[..list.IndexOf(")\n{", StringComparison.Ordinal)];
            List<string> declared = [];
            bool counts = true;
            foreach (string line in list.Split('\n').Select(l => l.Trim()))
            {
                if (line.StartsWith("#if", StringComparison.Ordinal)) counts = line[3..].Trim().Split("&&").All(c => Holds(c.Trim(), launch.Source.Text));
                else if (line.StartsWith("#endif", StringComparison.Ordinal)) counts = true;
                else if (counts) declared.AddRange(line.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
            }
            string[] kinds = [.. declared.Select(d => d.Contains("TensorMap", StringComparison.Ordinal) ? "map" : d.Contains('*', StringComparison.Ordinal) || d.StartsWith("long long", StringComparison.Ordinal) ? "8" : d.StartsWith("float", StringComparison.Ordinal) ? "float" : "4")];
            string[] passed = [.. launch.Arguments.Select(a => a switch { TensorMapArgument => "map", PointerArgument or ExtentArgument { Wide: true } => "8", FloatArgument => "float", _ => "4" })];
            Assert.True(kinds.SequenceEqual(passed), $"{launch.Name}: {string.Join(' ', declared)}\n{string.Join(' ', passed)}");
        }
    }

    /// <summary>NAME, or NAME == number, under a text's definitions.</summary>
    private static bool Holds(string condition, string text)
    {
        string[] parts = condition.Split("==", StringSplitOptions.TrimEntries);
        string value = Regex.Match(text, $"#define {parts[0]} (.+)").Groups[1].Value;
        return parts.Length == 2 ? value == parts[1] : value != "0";
    }

    [Theory]
    [InlineData(80)]
    [InlineData(89)]
    [InlineData(90)]
    public void Texts_compile_and_tensor_core_pipelines_stay_whole(int capability)
    {
        KernelCompilerTests.NeedCompiler();
        KernelSource[] sources = [.. HandMadeCases.All.Where((_, i) => capability == 90 || i % 3 == 0).SelectMany(c => Launches(Offers(c, Context(capability))).GroupBy(l => l.Name.Split(' ')[1]).SelectMany(g => g.Take(capability == 90 ? 2 : 1))).Select(l => l.Source).Distinct()];
        Assert.True(sources.Length > 8);
        IReadOnlyDictionary<KernelSource, CompiledSource> compiled = new KernelCompiler().Compile(sources, KernelCompiler.Architecture(capability));
        // Registers for the epilogue of the largest tiles may run short by a few words; the main loop's never.
        Assert.All(sources, s => Assert.True(compiled[s].Resources.SpillStoreBytes <= 96, $"{compiled[s].Resources}\n{s.Text}"));
    }

    [Fact]
    public void Cases_can_be_written_for_a_machine_with_a_GPU()
    {
        string? folder = Environment.GetEnvironmentVariable("TRTTOOLS_DUMP_HANDMADE");
        Assert.SkipUnless(folder is { Length: > 0 }, "TRTTOOLS_DUMP_HANDMADE names no folder.");
        HandMadeDump.Write(folder!, HandMadeCases.All, Context());
    }
}
