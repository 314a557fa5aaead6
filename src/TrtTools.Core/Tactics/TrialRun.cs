using TrtTools.Cuda;
using TrtTools.Launch;
using TrtTools.Lowering;

namespace TrtTools.Tactics;

/// <summary>A trial that is ready to run.</summary>
internal sealed class TrialRun : IDisposable
{
    private readonly DeviceProgram _program;
    private readonly DeviceContext _context;

    public TrialRun(TacticTrial trial, TrialDevice device, TrialLibraries libraries, Func<Storage, IDeviceMemory> memory)
    {
        _program = new DeviceProgram(device, trial.Plan, trial.Blobs.Content, [], "a trial") { CreateLibrary = libraries.Open };
        try
        {
            _context = _program.CreateContext();
        }
        catch
        {
            _program.Leave();
            throw;
        }
        _context.IsTimed = true;
        for (int i = 0; i < trial.Inputs.Count; i++)
        {
            IDeviceMemory place = memory(trial.Inputs[i]);
            _context.BindInput(i, place.Address, place.ByteCount, [trial.Inputs[i].ElementCount.Value]);
        }
        for (int i = 0; i < trial.Outputs.Count; i++)
        {
            IDeviceMemory place = memory(trial.Outputs[i]);
            _context.BindOutput(i, place.Address, place.ByteCount);
        }
    }

    /// <summary>One run; its milliseconds on the device.</summary>
    public double Execute(CancellationToken stop)
    {
        _context.Upload();
        _context.Execute(stop);
        _context.Synchronize();
        return _context.Times.Compute;
    }

    public void Dispose()
    {
        _context.Dispose();
        _program.Leave();
    }
}
