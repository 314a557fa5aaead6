using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using TrtTools.Benchmarks;

if (args is ["scale", .. string[] rest])
{
    Scale.Run(rest);
    return;
}
if (args is ["latency", .. string[] models])
{
    Latency.Run(models);
    return;
}
if (args is ["nodes", .. string[] folders])
{
    NodeTable.Run(folders);
    return;
}
if (args is ["memory", .. string[] where])
{
    ImportMemory.Run(where);
    return;
}
// In this process: a project generated and restored for each run would need the network and minutes.
IConfig config = DefaultConfig.Instance.AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance));
BenchmarkSwitcher.FromAssembly(typeof(GraphBenchmarks).Assembly).Run(args.Length > 0 ? args : ["--filter", "*"], config);
