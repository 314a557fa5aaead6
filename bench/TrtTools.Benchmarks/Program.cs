using BenchmarkDotNet.Running;

BenchmarkSwitcher.FromAssembly(typeof(TrtTools.Benchmarks.GraphBenchmarks).Assembly).Run(args);
