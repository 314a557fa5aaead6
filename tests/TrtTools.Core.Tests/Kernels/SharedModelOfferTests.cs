using TrtTools.Ir;
using TrtTools.Kernels;
using TrtTools.Lowering;
using TrtTools.Onnx;
using TrtTools.Tactics;
using TrtTools.Tensors;

namespace TrtTools.Tests.Kernels;

/// <summary>What kernels made by hand offer for whole models, lowered as an engine in half precision is: the regions that they are for really come out in the form that they take.</summary>
public sealed class SharedModelOfferTests
{
    [Theory]
    [InlineData("ultraface-slim-320-simplified", "trt wgmma-stem", 1)]
    [InlineData("ultraface-slim-320-simplified", "trt tma-depthwise", 8)]
    [InlineData("ultraface-rfb-320", "trt wgmma", 10)]
    [InlineData("ppocrv2-cls", "trt wgmma-stem", 1)]
    [InlineData("ppocrv2-cls", "trt tma-depthwise", 6)]
    [InlineData("synth-bert-mini", "trt wgmma", 10)]
    public void Regions_are_offered_the_kernels_that_are_for_them(string name, string kernel, int least)
    {
        LoweringOptions options = new() { ChannelsLast = true, FloatStorage = DataType.Float16 };
        LoweredProgram program = GraphLowering.Lower(OnnxFile.Import(SharedModels.Path(name), Report.None, CancellationToken.None), options, Report.None, CancellationToken.None);
        Dictionary<string, long> symbols = [];
        foreach (string symbol in program.Inputs.SelectMany(i => i.Shape).SelectMany(d => d.Symbols).Distinct(StringComparer.Ordinal)) symbols[symbol] = 64;
        TacticContext context = new() { Architecture = KernelCompiler.Architecture(90), Capability = 90, Multiprocessors = 132, Symbols = symbols };
        HandMadeTactics tactics = new();
        Region[] regions = [.. program.Steps.OfType<RegionStep>().Select(s => s.Region)];
        List<string> without = [];
        int count = 0;
        foreach (Region region in regions)
        {
            Offer[] offers = [.. tactics.Offers(region, context)];
            if (offers.Any(o => o.Tactic is not null && o.Name.StartsWith(kernel, StringComparison.Ordinal))) count++;
            else if (offers.Length > 0) without.Add($"{region.Kind} {region.Operators} {region.Nests[^1].Target}: {string.Join("; ", offers.Where(o => o.Tactic is null).Select(o => o.Reason).Distinct(StringComparer.Ordinal).Take(3))}");
        }
        TestContext.Current.TestOutputHelper?.WriteLine($"{count} of {regions.Length} regions");
        Assert.True(count >= least, $"{count} of {regions.Length} regions:\n{string.Join('\n', without)}");
    }
}
