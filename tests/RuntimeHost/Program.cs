using TrtTools;
using TrtTools.Execution;
using TrtTools.Launch;
using TrtTools.Tensors;
using ExecutionContext = TrtTools.Execution.ExecutionContext;

// Runs an engine on made-up inputs and prints what comes out. "--null" runs a CUDA engine on the Null device: everything but the kernels.
try
{
    using Engine loaded = EngineFile.Load(args[^1], Report.None);
    using Engine engine = args is ["--null", _] ? new Engine(loaded.Header, loaded.Content, loaded.Path, loaded.SizeBytes) { OpenDevice = () => new NullDevice() } : loaded;
    using ExecutionContext context = engine.CreateContext();
    foreach (Tensor output in context.Run(SyntheticInputs.Create(engine, null, out _)).Values) Console.WriteLine(output);
    return 0;
}
catch (TrtToolsException e)
{
    Console.Error.WriteLine($"{e.Code}: {e.Message}");
    return 1;
}
