using System.Globalization;

namespace TrtTools.Cmdlets.Tests;

/// <summary>Decimal commas (de-DE) and the dotless i (tr-TR) change nothing but how tables are shown.</summary>
public sealed class CultureTests
{
    [Theory]
    [InlineData("de-DE")]
    [InlineData("tr-TR")]
    [InlineData("en-US")]
    public void The_whole_line_gives_the_same_in(string culture)
    {
        CultureInfo before = CultureInfo.CurrentCulture, beforeUi = CultureInfo.CurrentUICulture;
        try
        {
            CultureInfo.CurrentCulture = CultureInfo.CurrentUICulture = new CultureInfo(culture);
            using ModuleSession session = new();
            Outcome outcome = session.Run("""
                param($m, $d)
                $g = Import-OnnxGraph $m | Optimize-OnnxGraph | Invoke-LayerFusion
                $g | Export-OnnxGraph -Path fused.onnx
                $e = Import-OnnxGraph fused.onnx | Build-Engine -Device cpu -InputShape @{ image = '1x1x8x8' } -OutputPath e.engine -LayerPrecision @{ '*' = 'fp32' } -TimeBudget 1.5
                $x = [TrtTools.Data.TensorFile]::Read($d)[1]
                (Import-Engine e.engine).Id
                (Get-EngineInfo e.engine).Inputs[0].ToString()
                (Compare-EngineOutput -Path e.engine -ModelPath $m -AbsoluteTolerance 0.001).Passed
                ($g | Test-OperatorSupport -Target tensorrt11 -Quiet)
                """, Repository.Digits, Repository.HeldOutData).WithoutErrors();
            Assert.Equal(["image: Float32[1,1,8,8]", "True", "True"], outcome.Output.Skip(1).Select(o => o.ToString()));
            Assert.Equal(64, outcome.Output[0].ToString().Length);
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
            CultureInfo.CurrentUICulture = beforeUi;
        }
    }
}
